import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { artifactStore, pointedAt, routed } from '../../training/run/artifact.ts'
import { executeRun, policyOfRun, readRun, runsIn } from '../../training/run/index.ts'
import { makeRepository } from '../support/repository.ts'
import { orderOf, tiny } from './runs.ts'

describe('a file of a run that is too large for plain git', () => {
  it('becomes a pointer whose bytes lie in the git directory, unless the tree gives it to Git LFS', async () => {
    const { dir, git } = await makeRepository({ '.gitattributes': 'lfs/** filter=lfs diff=lfs merge=lfs -text\n' })
    const store = artifactStore(git, dir)
    const large = Buffer.alloc(1_000_001, 7)
    expect(await routed('plain/small', large.subarray(0, 1_000_000), store)).toHaveLength(1_000_000)
    expect(await routed('lfs/policy', large, store)).toBe(large)
    const pointer = Buffer.from((await routed('plain/policy', large, store)) as string)
    expect(pointer.toString()).toMatch(
      /^version https:\/\/git-lfs\.github\.com\/spec\/v1\noid sha256:[0-9a-f]{64}\nsize 1000001\n$/,
    )
    expect(await store.get(pointedAt(pointer) as string)).toEqual(large)
    expect(await store.get('0'.repeat(64))).toBeUndefined()
    expect(pointedAt(large)).toBeUndefined()
  })

  it('is checked by its digest, read from the store, and named when it is elsewhere', async () => {
    const { dir, git } = await makeRepository({})
    const store = artifactStore(git, dir)
    const wide = tiny({ hidden: [512, 512], totalSteps: 128, epochs: 1 })
    const [kept, plain] = [await orderOf(wide, { root: dir, store }), await orderOf(wide)]
    const [outcome, beside] = [await executeRun(kept), await executeRun(plain)]
    if (outcome.state !== 'done' || beside.state !== 'done') throw new Error('a run was paused')
    const [stored, whole] = [await readRun(runsIn(dir, git), outcome.run), await readRun(runsIn(plain.root), beside.run)]
    // Where the bytes lie is not part of what the run came to.
    expect(stored.manifest).toEqual(whole.manifest)
    expect(pointedAt((await stored.source.read(`${stored.folder}/policy.safetensors`)) as Buffer)).toBeDefined()
    expect(await policyOfRun(stored)).toEqual(await policyOfRun(whole))
    await rename(join(dir, '.git/valuetrain/training/artifacts'), join(dir, '.git/elsewhere'))
    const again = await readRun(runsIn(dir, git), outcome.run)
    await expect(policyOfRun(again)).rejects.toMatchObject({ code: 'VT_ARTIFACT_ABSENT', kind: 'environment' })
    // Training the same again has the bytes again, as the error says.
    expect(await executeRun(kept)).toMatchObject({ written: false })
    expect(await policyOfRun(again)).toEqual(await policyOfRun(whole))
    await writeFile(join(dir, stored.folder, 'policy.safetensors'), 'version 0')
    await expect(readRun(runsIn(dir, git), outcome.run)).rejects.toMatchObject({ code: 'VT_RUN_ALTERED' })
  })
})
