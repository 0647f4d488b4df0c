import type { Finding } from '../../core/contracts/gate.ts'
import { byFindings } from '../gate.ts'
import { contentsOf, describeSize, isLfsPointer, LFS_POINTER_BYTES } from './blob.ts'
import { builtin } from './builtin.ts'

/** Kinds of file that grow with every run and never show a useful diff. */
const ROUTED =
  /\.(?:ipynb|pptx?|key|odp|csv|tsv|parquet|feather|arrow|onnx|pt|pth|ckpt|safetensors|h5|hdf5|keras|gguf|pb|tflite|joblib|pkl|npy|npz)$/i

/** The limit is the size from which the size gate warns, so that one number says what is large. */
export const lfs = builtin(
  {
    id: 'lfs',
    title: 'Data and weights are in LFS',
    why: 'notebooks, slides, tables and weights fill a repository with versions that nobody can compare',
    subject: 'range',
  },
  {
    inputs: async (view) => ({ limit: view.context.config.size.warnBytes, commits: (await view.commits()).map(({ id }) => id) }),
    async judge(view) {
      const limit = view.context.config.size.warnBytes
      const large = (await view.newBlobs()).filter(({ path, bytes }) => ROUTED.test(path) && bytes > limit)
      const pointers = new Set<string>()
      const small = large.filter(({ bytes }) => bytes < LFS_POINTER_BYTES)
      for await (const { blob, content } of contentsOf(view, small)) if (isLfsPointer(content)) pointers.add(blob.id)
      const findings = large
        .filter(({ id }) => !pointers.has(id))
        .map(({ path, bytes }): Finding => {
          const message = `${path} (${describeSize(bytes)}) is data above ${describeSize(limit)} and not in LFS`
          return { rule: 'not-in-lfs', severity: 'error', message, path }
        })
      return byFindings(findings, `no data file above ${describeSize(limit)} outside LFS`)
    },
  },
)
