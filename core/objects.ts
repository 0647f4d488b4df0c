import { type ChildProcess, spawn } from 'node:child_process'
import type { Socket } from 'node:net'

/** What a name stands for. */
export interface GitObject {
  id: string
  type: 'blob' | 'tree' | 'commit' | 'tag'
  /** Bytes. */
  size: number
}

/** `missing` where nothing has that name; undefined where no answer could be had, so that another way has to be gone. */
export type Answer<T> = T | 'missing' | undefined

/**
 * The objects of a repository, read by one process of git that stays: a question costs a fraction of a millisecond instead of a
 * process. Names of refs are looked up at every question, so an answer is never older than its question.
 */
export interface Objects {
  /** Tells what a name stands for: an id, a ref, `<revision>^{commit}`, `<revision>:<path>`. */
  look(name: string): Promise<Answer<GitObject>>
  /** Returns an object with its content. */
  read(name: string): Promise<Answer<GitObject & { content: Buffer }>>
  /** Ends the process; the next question starts another. */
  close(): Promise<void>
}

/** Milliseconds without a question after which the process is ended; on its own it also ends as soon as we do. */
const IDLE_MS = 1_000
/** Milliseconds for one answer. */
const PATIENCE_MS = 120_000
/** Answers after which a process makes way for a new one: git keeps what it has looked at. */
const MOST_ANSWERS = 20_000

/**
 * Returns the objects of the repository that a folder belongs to. Nothing is started before the first question, and a process
 * with nothing to answer holds up no end of ours.
 *
 * @param args what `git` is started with
 */
export function openObjects(args: readonly string[], dir: string, env: Readonly<Record<string, string>>): Objects {
  let talk: Talk | undefined
  const ask = async (word: 'info' | 'contents', name: string) => {
    // A question is a line.
    if (name === '' || /[\n\r\0]/.test(name)) return undefined
    if (talk === undefined || talk.isOver)
      talk = new Talk(spawn('git', args, { cwd: dir, env, stdio: ['pipe', 'pipe', 'ignore'] }))
    return talk.ask(word, name)
  }
  return {
    look: (name) => ask('info', name),
    read: async (name) => (await ask('contents', name)) as Answer<GitObject & { content: Buffer }>,
    close: async () => talk?.end(),
  }
}

/** How git is asked to answer questions until it is told that there are no more. @see git-cat-file(1), BATCH OUTPUT */
export const BATCH = ['cat-file', '--batch-command'] as const

interface Question {
  word: 'info' | 'contents'
  name: string
  answer(found: Answer<GitObject & { content?: Buffer }>): void
}

/** One process and the questions it still owes an answer, in the order they were asked. */
class Talk {
  isOver = false
  readonly #child: ChildProcess
  readonly #ended: Promise<void>
  readonly #open: Question[] = []
  readonly #input = new Bytes()
  #header: GitObject | undefined
  #answered = 0
  #timer: NodeJS.Timeout

  constructor(child: ChildProcess) {
    this.#child = child
    this.#ended = new Promise((resolve) => {
      child.once('error', () => resolve())
      child.once('close', () => resolve())
    })
    void this.#ended.then(() => this.#giveUp())
    child.stdout?.on('data', (chunk: Buffer) => {
      this.#input.add(chunk)
      this.#take()
    })
    // Whoever has gone is found gone by `close`.
    child.stdin?.on('error', () => {})
    this.#timer = this.#wait(IDLE_MS)
  }

  ask(word: Question['word'], name: string): Promise<Answer<GitObject & { content?: Buffer }>> {
    return new Promise((answer) => {
      this.#open.push({ word, name, answer })
      if (this.#open.length === 1) {
        this.#hold(true)
        this.#rest(PATIENCE_MS)
      }
      this.#child.stdin?.write(`${word} ${name}\n`)
    })
  }

  end(): Promise<void> {
    this.isOver = true
    this.#child.stdin?.end()
    return this.#ended
  }

  /** Gives out what has come, as far as it is complete. */
  #take(): void {
    for (let question = this.#open[0]; question !== undefined; question = this.#open[0]) {
      if (this.#header === undefined) {
        const line = this.#input.line()
        if (line === undefined) return
        const found = objectOf(line, question.name)
        if (found === 'missing' || question.word === 'info') {
          this.#settle(question, found)
          continue
        }
        if (found === undefined) return void this.#child.kill('SIGKILL')
        this.#header = found
      }
      const content = this.#input.bytes(this.#header.size + 1)
      if (content === undefined) return
      const header = this.#header
      this.#header = undefined
      this.#settle(question, { ...header, content: content.subarray(0, header.size) })
    }
  }

  #settle(question: Question, found: Answer<GitObject & { content?: Buffer }>): void {
    this.#open.shift()
    this.#answered += 1
    question.answer(found)
    const isIdle = this.#open.length === 0
    this.#rest(isIdle ? IDLE_MS : PATIENCE_MS)
    if (isIdle) this.#hold(false)
    if (isIdle && this.#answered >= MOST_ANSWERS) void this.end()
  }

  /** Without an answer for too long the process is ended by force; without a question it is told that there are no more. */
  #rest(ms: number): void {
    clearTimeout(this.#timer)
    this.#timer = this.#wait(ms)
  }

  #wait(ms: number): NodeJS.Timeout {
    const timer = setTimeout(() => {
      if (this.#open.length > 0) this.#child.kill('SIGKILL')
      else void this.end()
    }, ms)
    return timer.unref()
  }

  /** A question keeps our own process going until it is answered, and nothing else of this does. */
  #hold(isNeeded: boolean): void {
    const pipes = [this.#child.stdin, this.#child.stdout] as unknown as (Socket | null)[]
    for (const one of [this.#child, ...pipes]) {
      if (isNeeded) one?.ref()
      else one?.unref()
    }
  }

  #giveUp(): void {
    this.isOver = true
    clearTimeout(this.#timer)
    for (const { answer } of this.#open.splice(0)) answer(undefined)
  }
}

/** @see git-cat-file(1): `<id> SP <type> SP <size>`, or the name and what is wrong with it */
function objectOf(line: string, name: string): Answer<GitObject> {
  if (line === `${name} missing` || line === `${name} ambiguous`) return 'missing'
  const [, id, type, size] = /^([0-9a-f]{40,64}) (blob|tree|commit|tag) (\d+)$/.exec(line) ?? []
  return id === undefined ? undefined : { id, type: type as GitObject['type'], size: Number(size) }
}

/** Bytes as they come, taken in lines and lengths; each is copied once. */
class Bytes {
  #chunks: Buffer[] = []
  #length = 0

  add(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#length += chunk.length
  }

  /** Returns a line without its end, once it is whole. */
  line(): string | undefined {
    let before = 0
    for (const chunk of this.#chunks) {
      const at = chunk.indexOf(0x0a)
      if (at >= 0)
        return this.bytes(before + at + 1)
          ?.subarray(0, -1)
          .toString('utf8')
      before += chunk.length
    }
    return undefined
  }

  bytes(count: number): Buffer | undefined {
    if (this.#length < count) return undefined
    const taken: Buffer[] = []
    for (let left = count; left > 0; ) {
      const chunk = this.#chunks[0] as Buffer
      taken.push(chunk.subarray(0, left))
      if (chunk.length > left) this.#chunks[0] = chunk.subarray(left)
      else this.#chunks.shift()
      left -= Math.min(left, chunk.length)
    }
    this.#length -= count
    return Buffer.concat(taken, count)
  }
}
