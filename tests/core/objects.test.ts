import { readdir, readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { openListing } from '../../core/listing.ts'
import type { Objects } from '../../core/objects.ts'
import { readerAt } from '../../core/reader.ts'
import { resolveCommit } from '../../core/tree.ts'
import { makeRepository, type TestRepository } from '../support/repository.ts'

/** Programs of git that answer questions in a folder. */
async function talksIn(dir: string): Promise<number[]> {
  const found: number[] = []
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const words = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
    const at = await readlink(`/proc/${pid}/cwd`).catch(() => '')
    if (words.includes('--batch-command') && at === dir) found.push(Number(pid))
  }
  return found
}

const objectsOf = (test: TestRepository) => test.git.objects as Objects

describe('reading objects', () => {
  it('tells what a name stands for, and that nothing has a name', async () => {
    const test = await makeRepository({ 'a b.txt': 'text', 'folder/x': 'x' })
    const objects = objectsOf(test)
    const id = await test.git.text(['rev-parse', 'HEAD:a b.txt'])
    expect(await objects.look('HEAD:a b.txt')).toEqual({ id, type: 'blob', size: 4 })
    expect(await objects.read(id)).toEqual({ id, type: 'blob', size: 4, content: Buffer.from('text') })
    expect(await objects.look('HEAD:folder')).toMatchObject({ type: 'tree' })
    expect(await objects.look('refs/heads/main')).toMatchObject({ type: 'commit' })
    for (const name of ['refs/heads/none', 'HEAD:none', '0'.repeat(40), 'HEAD:folder^{commit}'])
      expect(await objects.look(name), name).toBe('missing')
  })

  it('sees a ref where it is at the question, and an object that has just been written', async () => {
    const test = await makeRepository()
    for (let round = 0; round < 3; round++) {
      expect(await resolveCommit(test.git, 'refs/heads/main')).toBe(await test.git.text(['rev-parse', 'HEAD']))
      await test.commit({ 'count.txt': `${round}` })
      expect(await readerAt(test.git, 'main').read('count.txt')).toBe(`${round}`)
    }
    await test.git.run(['pack-refs', '--all'])
    await test.git.run(['repack', '-adq'])
    expect(await readerAt(test.git, 'main').read('count.txt')).toBe('2')
    await test.git.run(['update-ref', '-d', 'refs/heads/main'])
    expect(await resolveCommit(test.git, 'refs/heads/main')).toBeUndefined()
  })

  it('answers many questions at once, each with its own answer, from one process', async () => {
    const test = await makeRepository(
      Object.fromEntries(Array.from({ length: 60 }, (_, at) => [`${at}`, `${at}\n`.repeat(at * 99)])),
    )
    const names = Array.from({ length: 60 }, (_, at) => `${at}`)
    const read = await Promise.all([...names, 'none'].map((name) => objectsOf(test).read(`HEAD:${name}`)))
    expect(read.pop()).toBe('missing')
    expect(read.map((found) => typeof found === 'object' && String(found.content))).toEqual(
      names.map((name) => `${name}\n`.repeat(Number(name) * 99)),
    )
    expect(await talksIn(test.dir)).toHaveLength(1)
    await objectsOf(test).close()
    expect(await talksIn(test.dir)).toEqual([])
  })

  it('goes another way when its process is ended, or when there is no repository', async () => {
    const test = await makeRepository({ 'a.txt': 'a' })
    const head = await test.git.text(['rev-parse', 'HEAD'])
    for (let round = 0; round < 2; round++) {
      const asked = Promise.all(Array.from({ length: 12 }, () => resolveCommit(test.git, 'HEAD')))
      for (const pid of await talksIn(test.dir)) process.kill(pid, 'SIGKILL')
      expect(new Set(await asked)).toEqual(new Set([head]))
    }
    const outside = test.git.at(join(test.dir, '..'))
    expect(await outside.objects?.look('HEAD')).toBeUndefined()
    expect(await resolveCommit(outside, 'HEAD')).toBeUndefined()
  })

  it('leaves a name that is no line to others', async () => {
    const test = await makeRepository({ 'new\nline': 'x' })
    expect(await objectsOf(test).look('HEAD:new\nline')).toBeUndefined()
    expect(await readerAt(test.git, 'HEAD').read('new\nline')).toBe('x')
  })

  it('ends its process after a while without a question, and begins again', async () => {
    const test = await makeRepository()
    const head = await resolveCommit(test.git, 'HEAD')
    expect(await talksIn(test.dir)).toHaveLength(1)
    while ((await talksIn(test.dir)).length > 0) await delay(100)
    expect(await resolveCommit(test.git, 'HEAD')).toBe(head)
  })
})

describe('a listing', () => {
  it('is the same walked folder by folder as read whole', async () => {
    const test = await makeRepository({ 'a.txt': '1', 'b/c/d.txt': '2', 'b/e': '3', '.valuetrain/config.yaml': '4' })
    await test.git.run(['update-index', '--add', '--cacheinfo', `160000,${'1'.repeat(40)},module`])
    const link = await test.git.text(['hash-object', '-w', '--stdin'], { input: 'b/c' })
    await test.git.run(['update-index', '--add', '--cacheinfo', `120000,${link},way`])
    const tree = await test.git.text(['write-tree'])
    const { objects: _, ...plain } = test.git
    const [walked, whole] = [await openListing(test.git, tree), await openListing(plain, tree)]
    for (const path of ['', 'a.txt', 'a.txt/x', 'b', 'b/c/d.txt', 'b/none', 'way', 'way/d.txt', 'module', 'module/x', 'none'])
      expect(await walked.find(path), path).toEqual(await whole.find(path))
    for (const folder of ['', 'b', 'b/c', 'way', 'none', 'a.txt', 'module']) {
      expect((await walked.filesIn(folder)).sort(), folder).toEqual((await whole.filesIn(folder)).sort())
      expect((await walked.foldersIn(folder)).sort(), folder).toEqual((await whole.foldersIn(folder)).sort())
    }
    expect(await walked.find('way/d.txt')).toEqual({ id: link, isLink: true, place: 'way' })
    const head = await test.git.text(['rev-parse', 'HEAD'])
    for (const rev of ['main', head, 'HEAD:b'])
      expect(await (await openListing(test.git, rev)).find('e'), rev).toEqual(await (await openListing(plain, rev)).find('e'))
    for (const git of [test.git, plain])
      for (const rev of ['none', 'HEAD:a.txt']) await expect(openListing(git, rev)).rejects.toMatchObject({ code: 'VT_REVISION' })
  })
})
