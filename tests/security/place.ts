import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { chmod, lstat, mkdir, readdir, readFile, readlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { makeRepository, type TestRepository } from '../support/repository.ts'

/** What there is to reach, and what an attack is told about it. Everything is real and belongs to the test. */
export interface Place extends TestRepository {
  /** What an attack knows: absolute paths, ports, and the word that must turn up nowhere. */
  facts: Facts
  /** What reached the listeners of this machine, as text. */
  heard: string[]
}

/** What a payload is given. */
export interface Facts {
  home: string
  main: string
  outside: string
  remote: string
  /** TCP and UDP port of this machine's loopback. */
  port: number
  dnsPort: number
  /** A number of seconds that no other `sleep` of this machine has. */
  sleep: number
}

/** Letters that read as a word, so that no redaction hides a leak from the test. */
export function makeCanary(): string {
  const letters = Array.from({ length: 24 }, () => 'abcdefghijklmnopqrstuvwxyz'[randomInt(26)])
  return `canary${letters.join('')}`
}

/**
 * Makes a repository with a remote, a home with credentials, a folder outside, and listeners; the canary lies in everything that
 * an agent must not see.
 */
export async function makePlace(files: Record<string, string>, canary: string): Promise<Place> {
  const repository = await makeRepository(files)
  const { outside: around, dir, git, env } = repository
  const [home, outside, remote] = [join(around, 'home'), join(around, 'outside'), join(around, 'remote.git')]
  await mkdir(outside)
  await write(home, {
    '.ssh/id_ed25519': canary,
    '.npmrc': `//registry.example/:_authToken=${canary}`,
    '.config/gh/hosts.yml': canary,
    '.bashrc': '# nothing',
  })
  await write(outside, { 'secret.txt': canary })
  await write(dir, { '.env': `KEY=${canary}\n` })
  await git.run(['init', '--quiet', '--bare', '--initial-branch=main', remote])
  await git.run(['push', '--quiet', remote, 'HEAD:refs/heads/main'])
  await git.run(['remote', 'add', 'origin', remote])
  await git.run(['config', 'http.https://example.invalid/.extraHeader', `Authorization: ${canary}`])
  // A filter and hooks as repositories have them, which run scripts of the tree.
  await git.run(['config', 'filter.tidy.clean', 'sh tools/tidy.sh'])
  await git.run(['config', 'filter.tidy.smudge', 'sh tools/tidy.sh'])
  await write(dir, { '.git/hooks/pre-commit': '#!/bin/sh\n[ ! -f tools/lint.sh ] || sh tools/lint.sh\n' })
  await chmod(join(dir, '.git/hooks/pre-commit'), 0o755)
  env.CANARY_TOKEN = canary
  const heard: string[] = []
  const [port, dnsPort] = [await listenTcp(heard), await listenUdp(heard)]
  return { ...repository, heard, facts: { home, main: dir, outside, remote, port, dnsPort, sleep: 700_000 + randomInt(99_999) } }
}

async function write(folder: string, files: Record<string, string>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(join(folder, name, '..'), { recursive: true })
    await writeFile(join(folder, name), content)
  }
}

async function listenTcp(heard: string[]): Promise<number> {
  const server = createServer((socket) => {
    heard.push('tcp connection')
    socket.on('data', (data) => heard.push(`tcp ${data}`))
    socket.on('error', () => {})
    socket.end('hello\n')
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  onTestFinished(() => void server.close())
  return (server.address() as { port: number }).port
}

async function listenUdp(heard: string[]): Promise<number> {
  const socket = createSocket('udp4')
  socket.on('message', (data) => heard.push(`dns ${data.toString('latin1')}`))
  await new Promise<void>((listening) => socket.bind(0, '127.0.0.1', listening))
  onTestFinished(() => void socket.close())
  return socket.address().port
}

/** Returns every file below a folder with its content, links as where they point to. */
export async function contentsOf(folder: string, prefix = ''): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const name of await readdir(folder).catch(() => [])) {
    const path = join(folder, name)
    const stat = await lstat(path)
    if (stat.isSymbolicLink()) found.set(`${prefix}${name}`, `-> ${await readlink(path)}`)
    else if (stat.isDirectory()) for (const [inner, text] of await contentsOf(path, `${prefix}${name}/`)) found.set(inner, text)
    else if (stat.isFile())
      found.set(`${prefix}${name}`, stat.size > 20_000_000 ? `${stat.size} bytes` : await readFile(path, 'latin1'))
  }
  return found
}
