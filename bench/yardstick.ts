/**
 * How fast this core is just now, told by a loop that never changes.
 *
 * Goals in seconds and steps are meant for a machine that multiplies 11 * 10^9 numbers a CPU second at width 128, and scale with
 * that reading. A reading by today's kernels would move with them: whoever made them faster would raise their own bar, and
 * whoever made them slower would lower it. So it is taken with the multiplying kernel as it was at commit 9199e1c, frozen here.
 *
 * A kernel that multiplies better than the one with which the 11 were read makes a machine look faster than it is. Of the goals'
 * machine it is also known what a plain loop reads, so that is read beside it.
 */
import process from 'node:process'

interface WebAssemblyApi {
  Module: new (bytes: Uint8Array) => object
  Instance: new (module: object, imports: object) => { exports: Record<string, (...numbers: number[]) => void> }
  Memory: new (size: { initial: number; maximum: number }) => { buffer: ArrayBuffer }
}

const ROWS = 256
const WIDTH = 128
/** Products of one reading: about 50 ms. */
const REPEATS = 200
const PLAIN_REPEATS = 12
/** What the goals' machine reads. */
export const DUE_GMACS = 11

let multiply: ((repeats: number) => void) | undefined

/** Multiplies 256 x 128 by 128 x 128. @returns 10^9 multiplications and additions a CPU second */
export function yardstickGmacs(): number {
  if (multiply === undefined) {
    multiply = open()
    // The first runs are those of the compiler.
    multiply(REPEATS)
  }
  const before = cpuSeconds()
  multiply(REPEATS)
  return (REPEATS * ROWS * WIDTH * WIDTH) / 1e9 / (cpuSeconds() - before)
}

/** What a plain loop reads on the goals' machine. */
export const DUE_PLAIN_GMACS = 1.2

/**
 * The same product by plain JavaScript, four sums at a time: it knows of no kernel, so it tells how fast the machine is and
 * nothing of how well our multiplying is written. @returns 10^9 multiplications and additions a CPU second
 */
export function plainGmacs(): number {
  plain ??= openPlain()
  plain(PLAIN_REPEATS)
  const before = cpuSeconds()
  plain(PLAIN_REPEATS)
  return (PLAIN_REPEATS * ROWS * WIDTH * WIDTH) / 1e9 / (cpuSeconds() - before)
}

/** Returns what took `seconds` here as it would have taken where a yardstick reads what the goals are meant for. */
export function asDue(seconds: number, gmacs: number, due: number = DUE_GMACS): number {
  return (seconds * gmacs) / due
}

/** CPU seconds of this process so far, user and system, of all its threads. */
export function cpuSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

let plain: ((repeats: number) => void) | undefined

function openPlain(): (repeats: number) => void {
  const [x, w, y] = [
    new Float32Array(ROWS * WIDTH).fill(0.01),
    new Float32Array(WIDTH * WIDTH).fill(0.01),
    new Float32Array(ROWS * WIDTH),
  ]
  return (repeats) => {
    for (let n = 0; n < repeats; n++) multiplyPlainly(x, w, y)
  }
}

function multiplyPlainly(x: Float32Array, w: Float32Array, y: Float32Array): void {
  for (let row = 0; row < ROWS; row++) {
    const at = row * WIDTH
    for (let out = 0; out < WIDTH; out += 4) {
      const [w0, w1, w2, w3] = [out * WIDTH, (out + 1) * WIDTH, (out + 2) * WIDTH, (out + 3) * WIDTH]
      let [sum0, sum1, sum2, sum3] = [0, 0, 0, 0]
      for (let n = 0; n < WIDTH; n++) {
        const value = x[at + n] as number
        sum0 += value * (w[w0 + n] as number)
        sum1 += value * (w[w1 + n] as number)
        sum2 += value * (w[w2 + n] as number)
        sum3 += value * (w[w3 + n] as number)
      }
      y[at + out] = sum0
      y[at + out + 1] = sum1
      y[at + out + 2] = sum2
      y[at + out + 3] = sum3
    }
  }
}

function open(): (repeats: number) => void {
  const { WebAssembly } = globalThis as unknown as { WebAssembly: WebAssemblyApi }
  const memory = new WebAssembly.Memory({ initial: 8, maximum: 8 })
  const bytes = Buffer.from(MULTIPLY_BASE64, 'base64')
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } })
  const [x, w, bias, y] = [
    16,
    16 + 4 * ROWS * WIDTH,
    16 + 4 * (ROWS + WIDTH) * WIDTH,
    32 + 4 * (ROWS + WIDTH + 1) * WIDTH,
  ] as const
  new Float32Array(memory.buffer, 0, y / 4).fill(0.01)
  const row = 4 * WIDTH
  return (repeats) => {
    for (let n = 0; n < repeats; n++) exports.multiply?.(x, row, 4, w, row, bias, y, row, ROWS, WIDTH, WIDTH)
  }
}

const MULTIPLY_BASE64 = [
  'AGFzbQEAAAABDwFgC39/f39/f39/f39/AAIPAQNlbnYGbWVtb3J5AgABAwIBAAcMAQhtdWx0aXBseQAACv4eAfseFAF/AX8BfwF/AX8BfwF/AX',
  '8BfwF7AXsBewF7AXsBewF7AXsBewF7AXtBACELAkAgCyAIQXxxTw0AA0BBACEMAkAgDCAKQXhxTw0AA0AgACALQQBqIAFsaiEOIAAgC0EBaiAB',
  'bGohDyAAIAtBAmogAWxqIRAgACALQQNqIAFsaiERIAMgDEECdGohEiAFRQRA/QwAAAAAAAAAAAAAAAAAAAAAIRT9DAAAAAAAAAAAAAAAAAAAAA',
  'AhFf0MAAAAAAAAAAAAAAAAAAAAACEW/QwAAAAAAAAAAAAAAAAAAAAAIRf9DAAAAAAAAAAAAAAAAAAAAAAhGP0MAAAAAAAAAAAAAAAAAAAAACEZ',
  '/QwAAAAAAAAAAAAAAAAAAAAAIRr9DAAAAAAAAAAAAAAAAAAAAAAhGwUgBSAMQQJ0av0AAgAhFCAFIAxBAnRq/QACECEVIAUgDEECdGr9AAIAIR',
  'YgBSAMQQJ0av0AAhAhFyAFIAxBAnRq/QACACEYIAUgDEECdGr9AAIQIRkgBSAMQQJ0av0AAgAhGiAFIAxBAnRq/QACECEbC0EAIQ0CQCANIAlP',
  'DQADQCAS/QACACEcIBL9AAIQIR0gDv0JAgAhHiAUIB4gHP3mAf3kASEUIBUgHiAd/eYB/eQBIRUgDiACaiEOIA/9CQIAIR4gFiAeIBz95gH95A',
  'EhFiAXIB4gHf3mAf3kASEXIA8gAmohDyAQ/QkCACEeIBggHiAc/eYB/eQBIRggGSAeIB395gH95AEhGSAQIAJqIRAgEf0JAgAhHiAaIB4gHP3m',
  'Af3kASEaIBsgHiAd/eYB/eQBIRsgESACaiERIBIgBGohEiANQQFqIQ0gDSAJSQ0ACwsgBiAMQQJ0aiALQQBqIAdsaiETIBMgFP0LAgAgEyAV/Q',
  'sCECAGIAxBAnRqIAtBAWogB2xqIRMgEyAW/QsCACATIBf9CwIQIAYgDEECdGogC0ECaiAHbGohEyATIBj9CwIAIBMgGf0LAhAgBiAMQQJ0aiAL',
  'QQNqIAdsaiETIBMgGv0LAgAgEyAb/QsCECAMQQhqIQwgDCAKQXhxSQ0ACwsCQCAMIApBfHFPDQADQCAAIAtBAGogAWxqIQ4gACALQQFqIAFsai',
  'EPIAAgC0ECaiABbGohECAAIAtBA2ogAWxqIREgAyAMQQJ0aiESIAVFBED9DAAAAAAAAAAAAAAAAAAAAAAhFP0MAAAAAAAAAAAAAAAAAAAAACEV',
  '/QwAAAAAAAAAAAAAAAAAAAAAIRb9DAAAAAAAAAAAAAAAAAAAAAAhFwUgBSAMQQJ0av0AAgAhFCAFIAxBAnRq/QACACEVIAUgDEECdGr9AAIAIR',
  'YgBSAMQQJ0av0AAgAhFwtBACENAkAgDSAJTw0AA0AgEv0AAgAhHCAO/QkCACEeIBQgHiAc/eYB/eQBIRQgDiACaiEOIA/9CQIAIR4gFSAeIBz9',
  '5gH95AEhFSAPIAJqIQ8gEP0JAgAhHiAWIB4gHP3mAf3kASEWIBAgAmohECAR/QkCACEeIBcgHiAc/eYB/eQBIRcgESACaiERIBIgBGohEiANQQ',
  'FqIQ0gDSAJSQ0ACwsgBiAMQQJ0aiALQQBqIAdsaiETIBMgFP0LAgAgBiAMQQJ0aiALQQFqIAdsaiETIBMgFf0LAgAgBiAMQQJ0aiALQQJqIAds',
  'aiETIBMgFv0LAgAgBiAMQQJ0aiALQQNqIAdsaiETIBMgF/0LAgAgDEEEaiEMIAwgCkF8cUkNAAsLIApBA3FBAUYEQCAAIAtBAGogAWxqIQ4gAC',
  'ALQQFqIAFsaiEPIAAgC0ECaiABbGohECAAIAtBA2ogAWxqIREgAyAMQQJ0aiESIAVFBED9DAAAAAAAAAAAAAAAAAAAAAAhFP0MAAAAAAAAAAAA',
  'AAAAAAAAACEV/QwAAAAAAAAAAAAAAAAAAAAAIRb9DAAAAAAAAAAAAAAAAAAAAAAhFwUgBSAMQQJ0av0AAgAhFCAFIAxBAnRq/QACACEVIAUgDE',
  'ECdGr9AAIAIRYgBSAMQQJ0av0AAgAhFwtBACENAkAgDSAJTw0AA0AgEv0AAgAhHCAO/QkCACEeIBQgHiAc/eYB/eQBIRQgDiACaiEOIA/9CQIA',
  'IR4gFSAeIBz95gH95AEhFSAPIAJqIQ8gEP0JAgAhHiAWIB4gHP3mAf3kASEWIBAgAmohECAR/QkCACEeIBcgHiAc/eYB/eQBIRcgESACaiERIB',
  'IgBGohEiANQQFqIQ0gDSAJSQ0ACwsgBiAMQQJ0aiALQQBqIAdsaiETIBMgFP1aAgAAIAYgDEECdGogC0EBaiAHbGohEyATIBX9WgIAACAGIAxB',
  'AnRqIAtBAmogB2xqIRMgEyAW/VoCAAAgBiAMQQJ0aiALQQNqIAdsaiETIBMgF/1aAgAACyAKQQNxQQJGBEAgACALQQBqIAFsaiEOIAAgC0EBai',
  'ABbGohDyAAIAtBAmogAWxqIRAgACALQQNqIAFsaiERIAMgDEECdGohEiAFRQRA/QwAAAAAAAAAAAAAAAAAAAAAIRT9DAAAAAAAAAAAAAAAAAAA',
  'AAAhFf0MAAAAAAAAAAAAAAAAAAAAACEW/QwAAAAAAAAAAAAAAAAAAAAAIRcFIAUgDEECdGr9AAIAIRQgBSAMQQJ0av0AAgAhFSAFIAxBAnRq/Q',
  'ACACEWIAUgDEECdGr9AAIAIRcLQQAhDQJAIA0gCU8NAANAIBL9AAIAIRwgDv0JAgAhHiAUIB4gHP3mAf3kASEUIA4gAmohDiAP/QkCACEeIBUg',
  'HiAc/eYB/eQBIRUgDyACaiEPIBD9CQIAIR4gFiAeIBz95gH95AEhFiAQIAJqIRAgEf0JAgAhHiAXIB4gHP3mAf3kASEXIBEgAmohESASIARqIR',
  'IgDUEBaiENIA0gCUkNAAsLIAYgDEECdGogC0EAaiAHbGohEyATIBT9WgIAACATIBT9WgIEASAGIAxBAnRqIAtBAWogB2xqIRMgEyAV/VoCAAAg',
  'EyAV/VoCBAEgBiAMQQJ0aiALQQJqIAdsaiETIBMgFv1aAgAAIBMgFv1aAgQBIAYgDEECdGogC0EDaiAHbGohEyATIBf9WgIAACATIBf9WgIEAQ',
  'sgCkEDcUEDRgRAIAAgC0EAaiABbGohDiAAIAtBAWogAWxqIQ8gACALQQJqIAFsaiEQIAAgC0EDaiABbGohESADIAxBAnRqIRIgBUUEQP0MAAAA',
  'AAAAAAAAAAAAAAAAACEU/QwAAAAAAAAAAAAAAAAAAAAAIRX9DAAAAAAAAAAAAAAAAAAAAAAhFv0MAAAAAAAAAAAAAAAAAAAAACEXBSAFIAxBAn',
  'Rq/QACACEUIAUgDEECdGr9AAIAIRUgBSAMQQJ0av0AAgAhFiAFIAxBAnRq/QACACEXC0EAIQ0CQCANIAlPDQADQCAS/QACACEcIA79CQIAIR4g',
  'FCAeIBz95gH95AEhFCAOIAJqIQ4gD/0JAgAhHiAVIB4gHP3mAf3kASEVIA8gAmohDyAQ/QkCACEeIBYgHiAc/eYB/eQBIRYgECACaiEQIBH9CQ',
  'IAIR4gFyAeIBz95gH95AEhFyARIAJqIREgEiAEaiESIA1BAWohDSANIAlJDQALCyAGIAxBAnRqIAtBAGogB2xqIRMgEyAU/VoCAAAgEyAU/VoC',
  'BAEgEyAU/VoCCAIgBiAMQQJ0aiALQQFqIAdsaiETIBMgFf1aAgAAIBMgFf1aAgQBIBMgFf1aAggCIAYgDEECdGogC0ECaiAHbGohEyATIBb9Wg',
  'IAACATIBb9WgIEASATIBb9WgIIAiAGIAxBAnRqIAtBA2ogB2xqIRMgEyAX/VoCAAAgEyAX/VoCBAEgEyAX/VoCCAILIAtBBGohCyALIAhBfHFJ',
  'DQALCwJAIAsgCE8NAANAQQAhDAJAIAwgCkF4cU8NAANAIAAgC0EAaiABbGohDiADIAxBAnRqIRIgBUUEQP0MAAAAAAAAAAAAAAAAAAAAACEU/Q',
  'wAAAAAAAAAAAAAAAAAAAAAIRUFIAUgDEECdGr9AAIAIRQgBSAMQQJ0av0AAhAhFQtBACENAkAgDSAJTw0AA0AgEv0AAgAhHCAS/QACECEdIA79',
  'CQIAIR4gFCAeIBz95gH95AEhFCAVIB4gHf3mAf3kASEVIA4gAmohDiASIARqIRIgDUEBaiENIA0gCUkNAAsLIAYgDEECdGogC0EAaiAHbGohEy',
  'ATIBT9CwIAIBMgFf0LAhAgDEEIaiEMIAwgCkF4cUkNAAsLAkAgDCAKQXxxTw0AA0AgACALQQBqIAFsaiEOIAMgDEECdGohEiAFRQRA/QwAAAAA',
  'AAAAAAAAAAAAAAAAIRQFIAUgDEECdGr9AAIAIRQLQQAhDQJAIA0gCU8NAANAIBL9AAIAIRwgDv0JAgAhHiAUIB4gHP3mAf3kASEUIA4gAmohDi',
  'ASIARqIRIgDUEBaiENIA0gCUkNAAsLIAYgDEECdGogC0EAaiAHbGohEyATIBT9CwIAIAxBBGohDCAMIApBfHFJDQALCyAKQQNxQQFGBEAgACAL',
  'QQBqIAFsaiEOIAMgDEECdGohEiAFRQRA/QwAAAAAAAAAAAAAAAAAAAAAIRQFIAUgDEECdGr9AAIAIRQLQQAhDQJAIA0gCU8NAANAIBL9AAIAIR',
  'wgDv0JAgAhHiAUIB4gHP3mAf3kASEUIA4gAmohDiASIARqIRIgDUEBaiENIA0gCUkNAAsLIAYgDEECdGogC0EAaiAHbGohEyATIBT9WgIAAAsg',
  'CkEDcUECRgRAIAAgC0EAaiABbGohDiADIAxBAnRqIRIgBUUEQP0MAAAAAAAAAAAAAAAAAAAAACEUBSAFIAxBAnRq/QACACEUC0EAIQ0CQCANIA',
  'lPDQADQCAS/QACACEcIA79CQIAIR4gFCAeIBz95gH95AEhFCAOIAJqIQ4gEiAEaiESIA1BAWohDSANIAlJDQALCyAGIAxBAnRqIAtBAGogB2xq',
  'IRMgEyAU/VoCAAAgEyAU/VoCBAELIApBA3FBA0YEQCAAIAtBAGogAWxqIQ4gAyAMQQJ0aiESIAVFBED9DAAAAAAAAAAAAAAAAAAAAAAhFAUgBS',
  'AMQQJ0av0AAgAhFAtBACENAkAgDSAJTw0AA0AgEv0AAgAhHCAO/QkCACEeIBQgHiAc/eYB/eQBIRQgDiACaiEOIBIgBGohEiANQQFqIQ0gDSAJ',
  'SQ0ACwsgBiAMQQJ0aiALQQBqIAdsaiETIBMgFP1aAgAAIBMgFP1aAgQBIBMgFP1aAggCCyALQQFqIQsgCyAISQ0ACwsL',
].join('')
