import { describe, expect, it } from 'vitest'
import { defineCommand } from '../../bin/command.ts'
import { COMMANDS, lookUp } from '../../bin/commands.ts'
import { tellProblem } from '../../bin/display/problem.ts'
import { ValuetrainError } from '../../core/errors.ts'
import { makeRepository, testEnvironment } from '../support/repository.ts'
import { openTerminal } from './terminal.ts'

const nowhere = () => openTerminal({ dir: '/nonexistent', env: testEnvironment('/nonexistent') })

describe('the table of commands', () => {
  it('has every command once, each with a module that loads and explains itself', async () => {
    expect(new Set(COMMANDS.map(({ id }) => id)).size).toBe(COMMANDS.length)
    for (const { id, summary, load } of COMMANDS) {
      const { default: spec } = await load()
      expect(typeof spec.run, id).toBe('function')
      expect(summary, id).toMatch(/^[A-Z].*[^.]$/)
    }
  })

  it('names the contract', () => {
    expect(COMMANDS.map(({ id }) => id).sort()).toEqual(
      [
        'abort, check, completion, config set, config show, config why, doctor, drive, gate list, gate plan, gate run, gc, init',
        'issue close, issue list, issue new, issue show, journey, mode list, mode show, new, pause, pipeline list, pipeline show',
        'report, rescue list, rescue restore, resume, run, session log, session rollback, session show, session verify, status',
        'ticket approve, ticket override, ticket release, ticket show, ticket tick',
        'accel doctor, accel install, accel remove, agents why, diagnose, eval, export, gpu list, gpu reap, gpu run, policy promote, policy rollback, policy show',
        'reward test, runs compare, runs list, runs search, runs show, serve, sweep, train',
        'agents list, agents test, cost report, fix, hooks install, hooks status, hooks test, hooks uninstall',
      ]
        .join(', ')
        .split(', ')
        .sort(),
    )
  })

  it('finds the command with the most words', () => {
    const load = async () => ({ default: defineCommand({ run: async () => 0 }) })
    const table = ['issue', 'issue new'].map((id) => ({ id, summary: 'Does', group: 'Work' as const, load }))
    expect(lookUp(['issue', 'new', '--title', 'x'], table)).toMatchObject({ entry: { id: 'issue new' }, rest: ['--title', 'x'] })
    expect(lookUp(['issue', '7'], table)).toMatchObject({ entry: { id: 'issue' }, rest: ['7'] })
  })

  it('explains each command with --help, in a repository or not', async () => {
    for (const { id, summary } of COMMANDS) {
      const { code, stdout } = await nowhere().run(...id.split(' '), '--help')
      expect({ id, code, first: stdout.split('\n')[0] }).toEqual({ id, code: 0, first: summary })
      expect(stdout).toContain(`$ valuetrain ${id}`)
    }
  })
})

describe('a command line that is wrong', () => {
  it('is answered with the nearest command, flag or value, and exit code 2', async () => {
    expect(
      await nowhere().transcript(
        ['statsu'],
        ['issue', 'nwe'],
        ['isue', 'new'],
        ['xyzzy'],
        ['--json'],
        ['run'],
        ['run', 'abc'],
        ['run', '1', '2'],
        ['run', '1', '--mergee', 'auto'],
        ['run', '1', '--merge=autp'],
        ['run', '1', '--until', 'biuld'],
        ['run', '1', '--pipeline'],
        ['drive', '--max', '0'],
        ['drive', '--parallel', 'many'],
        ['issue', 'new'],
        ['mode', 'show', 'evalute'],
        ['status', '--forge', 'gitlab'],
        ['completion', 'powershell'],
        ['report', '--since', 'yesterday'],
        ['-C'],
      ),
    ).toMatchInlineSnapshot(`
      "$ valuetrain statsu
      error: unknown command "statsu" (did you mean "status"?)
      hint: \`valuetrain --help\` lists the commands
      [exit 2]

      $ valuetrain issue nwe
      error: unknown command "issue nwe" (did you mean "issue new"?)
      hint: \`valuetrain --help\` lists the commands
      [exit 2]

      $ valuetrain isue new
      error: unknown command "isue" (did you mean "issue new"?)
      hint: \`valuetrain --help\` lists the commands
      [exit 2]

      $ valuetrain xyzzy
      error: unknown command "xyzzy"
      hint: \`valuetrain --help\` lists the commands
      [exit 2]

      $ valuetrain --json
      {"error":{"code":"VT_COMMAND_LINE","message":"no command before --json","hint":"flags follow the command; \`valuetrain --help\` lists the commands","details":{}}}
      error: no command before --json
      hint: flags follow the command; \`valuetrain --help\` lists the commands
      [exit 2]

      $ valuetrain run
      error: missing ISSUE
      hint: usage: valuetrain run ISSUE; \`valuetrain run --help\` shows what it takes
      [exit 2]

      $ valuetrain run abc
      error: "abc" is not an issue number
      hint: give the number, as in \`valuetrain run 42\`; \`valuetrain issue list\` shows them
      [exit 2]

      $ valuetrain run 1 2
      error: unexpected argument "2"
      hint: \`valuetrain run --help\` shows what it takes; quote a value that has spaces
      [exit 2]

      $ valuetrain run 1 --mergee auto
      error: unknown flag --mergee (did you mean --merge?)
      hint: \`valuetrain run --help\` shows what it takes
      [exit 2]

      $ valuetrain run 1 --merge=autp
      error: --merge cannot be "autp" (did you mean "auto"?)
      hint: it takes one of: auto, person
      [exit 2]

      $ valuetrain run 1 --until biuld
      error: --until cannot be "biuld" (did you mean "build"?)
      hint: it takes one of: intake, discover, scope, design, build, evaluate, deliver, operate, improve
      [exit 2]

      $ valuetrain run 1 --pipeline
      error: --pipeline expects a value
      hint: \`valuetrain run --help\` shows what it takes
      [exit 2]

      $ valuetrain drive --max 0
      error: --max cannot be "0"
      hint: it takes a whole number from 1 to 1000000
      [exit 2]

      $ valuetrain drive --parallel many
      error: --parallel cannot be "many"
      hint: it takes a whole number from 1 to 64
      [exit 2]

      $ valuetrain issue new
      error: --title is missing
      hint: give it as --title TITLE
      [exit 2]

      $ valuetrain mode show evalute
      error: MODE cannot be "evalute" (did you mean "evaluate"?)
      hint: it takes one of: intake, discover, scope, design, build, evaluate, deliver, operate, improve
      [exit 2]

      $ valuetrain status --forge gitlab
      error: --forge cannot be "gitlab"
      hint: it takes one of: local, github
      [exit 2]

      $ valuetrain completion powershell
      error: SHELL cannot be "powershell"
      hint: it takes one of: bash, zsh, fish
      [exit 2]

      $ valuetrain report --since yesterday
      error: --since cannot be "yesterday"
      hint: give a day such as 2026-01-31, a time such as 2026-01-31T09:00Z, or days back such as 14d
      [exit 2]

      $ valuetrain -C
      error: -C expects a folder
      hint: as in \`valuetrain -C ../other status\`
      [exit 2]
      "
    `)
  })

  it('tells programs the same as one object', async () => {
    const { code, stdout, stderr } = await nowhere().run('status', '--jsn', '--json')
    expect(code).toBe(2)
    expect(JSON.parse(stdout)).toEqual({
      error: {
        code: 'VT_COMMAND_LINE',
        message: 'unknown flag --jsn (did you mean --json?)',
        hint: '`valuetrain status --help` shows what it takes',
        details: {},
      },
    })
    expect(stderr).toBe(
      'error: unknown flag --jsn (did you mean --json?)\nhint: `valuetrain status --help` shows what it takes\n',
    )
  })

  it('lists the commands of a topic that was named alone', async () => {
    expect(await nowhere().transcript(['mode'], ['mode', '--help'])).toMatchInlineSnapshot(`
      "$ valuetrain mode
      Usage: valuetrain mode <command>

        mode list       List the nine modes
        mode show MODE  Show one mode
      [exit 2]

      $ valuetrain mode --help
      Usage: valuetrain mode <command>

        mode list       List the nine modes
        mode show MODE  Show one mode
      "
    `)
  })
})

describe('the overview', () => {
  it('is what help and nothing at all print', async () => {
    const { stdout } = await nowhere().run('--help')
    for (const argv of [[], ['-h'], ['help']]) expect((await nowhere().run(...argv)).stdout).toBe(stdout)
    expect(stdout.split('\n').filter((line) => line.length > 110)).toEqual([])
    expect(stdout).toMatchInlineSnapshot(`
      "valuetrain 9.9.9: issues become gated, audited, merged changes; git is the only thing it needs

      Usage: valuetrain [-C DIR] <command> [arguments] [flags]

      Begin
        journey                             Watch three issues travel into merged changes, in a throw-away place
        init                                Set this repository up, from what it already has
        doctor                              Say what of the surroundings is missing, and what to do

      Work
        issue new --title T                 Write an issue
        issue list                          List the issues
        issue show N                        Show one issue
        issue close N                       Close an issue
        run ISSUE                           Work one issue to the end, or to where a person is needed
        drive                               Auto-Pilot: work what is ready in the queue

      Tickets
        status                              Where every ticket stands
        ticket show ISSUE                   Show one ticket: phase, items, gates, what is next
        ticket tick ISSUE ITEM              Tick a checklist item whose evidence holds
        ticket approve ISSUE [GATE]         Say yes where a ticket waits for a person
        ticket override ISSUE GATE          Let a ticket past a gate, with a reason that is recorded
        ticket release ISSUE                Give up a claim whose process is gone
        pause ISSUE                         Hold a ticket
        resume ISSUE                        Let a held ticket go on
        abort ISSUE                         End a ticket for good, with a reason

      Training
        train CONFIG                        Train a policy, measure it, judge it by statistics
        eval [RUN]                          Measure a run's policy again
        runs list                           List the training runs
        runs show RUN                       Show one run, or write a page about it
        runs compare RUN RUN                Say what differs between two runs, and by how much
        runs search TERM                    Find runs by words and conditions
        sweep FILE                          Search settings, and go on where a search was stopped
        agents why ISSUE                    Explain who was chosen to work an issue
        policy show [POLICY]                Say which run each policy in use is
        policy promote RUN                  Put a run's policy into use
        policy rollback POLICY              Put the policy before back into use
        export POLICY --out DIR             Write a policy as safetensors, ONNX or for TensorFlow.js
        serve POLICY                        Answer decisions over HTTP
        diagnose CONFIG FILE                Say what went wrong, from a log or a data file
        reward test FILE                    Hold a reward against sample episodes
        accel install gpu|cpu               Install TensorFlow.js in a folder of its own
        accel remove                        Remove it again
        accel doctor                        Say what there is to compute with
        gpu list                            List graphics cards, here and where ssh reaches
        gpu run [MACHINE]                   Run a trainer of your own on a lease that ends by itself
        gpu reap                            End leases that nobody keeps alive

      Audit
        session show TICKET                 Show what happened on a ticket, as its session tells it
        session log [TICKET]                List events, one a line
        session verify [TICKET]             Check integrity, completeness, anchoring and policy of sessions
        session rollback TICKET --to EVENT  Go back to an event; shows the plan first
        report                              Throughput, times, flow efficiency, rework
        cost report                         Add up what calls of models cost

      Rules
        check [--base REF]                  Judge the commits of this branch, as continuous integration does
        gate list                           List the gates
        gate plan [GATE]                    Say which gates would be asked here, and why
        gate run [GATE]                     Ask gates about HEAD, in a clean checkout
        agents list                         List the agents, and which are here
        agents test AGENT                   Let one agent write one file in a throw-away place
        mode list                           List the nine modes
        mode show MODE                      Show one mode
        pipeline list                       List the pipelines
        pipeline show NAME                  Show a pipeline's phases
        new KIND NAME                       Write a gate, runtime, mode or pipeline to start from

      Upkeep
        config show [PATH]                  Print the configuration that is read here
        config why PATH                     Say what a key means, what it is, and where that comes from
        config set PATH VALUE               Change one key; comments stay
        fix [RECIPE]                        Run fixers over what is staged, and over nothing else
        hooks install                       Install git hooks that judge commits in every worktree
        hooks uninstall                     Take the hooks away and put back what was there
        hooks status                        Say how the hooks are installed and what they noticed
        hooks test                          Make a probe commit in a throw-away worktree and see which hooks fire
        rescue list                         List work that was set aside before a worktree went
        rescue restore REF                  Bring set-aside work back into a new folder
        gc                                  Tidy what nobody needs any more; never anybody’s work
        completion SHELL                    Print completion for bash, zsh or fish

      Every command explains itself with --help; reading commands take --json.
      Exit codes: 0 done, 1 a gate said no or somebody is waited for, 2 wrong command line or configuration,
      3 wrong surroundings, 70 our bug.
      "
    `)
  })

  it('gives the version', async () => {
    expect(await nowhere().run('--version')).toEqual({ code: 0, stdout: 'valuetrain 9.9.9\n', stderr: '' })
  })

  it('leads to a command’s own help', async () => {
    const direct = await nowhere().run('run', '--help')
    expect(await nowhere().run('help', 'run')).toEqual(direct)
    expect(direct.stdout).toMatchInlineSnapshot(`
      "Work one issue to the end, or to where a person is needed

      USAGE
        $ valuetrain run ISSUE [--pipeline NAME] [--agent RUNTIME] [--merge auto|person]
          [--until intake|discover|scope|design|build|evaluate|deliver|operate|improve] [--no-jail]
          [--plan] [--json] [--forge local|github] [--cwd DIR]

      ARGUMENTS
        ISSUE  Number of the issue.

      FLAGS
        --agent=RUNTIME                                                              Who works it, instead
                                                                                     of what its labels
                                                                                     say.
        --merge=auto|person                                                          Who merges the
                                                                                     delivered change.
        --no-jail                                                                    Go on where no jail
                                                                                     can be built or none
                                                                                     shall be; the session
                                                                                     records it.
        --pipeline=NAME                                                              Pipeline to work it
                                                                                     by; an issue keeps
                                                                                     the one it was begun
                                                                                     with.
        --plan                                                                       Say what would
                                                                                     happen, and change
                                                                                     nothing.
        --until=intake|discover|scope|design|build|evaluate|deliver|operate|improve  Stop when this mode
                                                                                     is through.

      GLOBAL FLAGS
        --cwd=DIR             Work in this folder; -C DIR before the command says the same.
        --forge=local|github  Use this forge instead of the configured one.
        --json                Print JSON for programs.

      DESCRIPTION
        Works one issue in its own worktree: mode after mode, gate after gate, until it is merged,
        blocked, or needs a person. A run that was stopped continues where it stopped. The working tree
        may be dirty; the issue is read as it lies there, everything else from the default branch.

      EXAMPLES
        Work issue 42 and leave the merge to a person

          $ valuetrain run 42

        See what would happen

          $ valuetrain run 42 --plan

        All the way, by itself

          $ valuetrain run 42 --merge auto
      "
    `)
  })
})

describe('where a command works', () => {
  it('is the folder that -C or --cwd names, seen from the one it was called in', async () => {
    const repository = await makeRepository()
    await repository.write({ '.valuetrain/config.yaml': 'merge: auto\n' })
    const outside = openTerminal({ dir: repository.outside, env: repository.env })
    const auto = { code: 0, stdout: 'auto\n', stderr: '' }
    expect(await outside.run('-C', 'repo', 'config', 'show', 'merge')).toEqual(auto)
    expect(await outside.run('-C', 'home', '-C', '../repo', 'config', 'show', 'merge')).toEqual(auto)
    expect(await outside.run('--cwd=repo', 'config', 'show', 'merge')).toEqual(auto)
    expect(await outside.run('config', 'show', 'merge', '--cwd', 'repo')).toEqual(auto)
  })

  it('has to be a repository, else exit code 3', async () => {
    const { outside, env } = await makeRepository()
    const terminal = openTerminal({ dir: outside, env })
    for (const argv of [['status'], ['run', '1'], ['drive', '--once'], ['check'], ['config', 'show'], ['issue', 'list']]) {
      const { code, stderr } = await terminal.run(...argv)
      expect({ argv, code, said: stderr.split('\n')[0] }).toEqual({
        argv,
        code: 3,
        said: `error: ${outside} is not in a git repository`,
      })
    }
    expect((await terminal.run('-C', 'gone', 'status')).code).toBe(3)
  })
})

describe('an exception nobody expected', () => {
  it('is called our bug, with exit code 70 and the way to the stack', () => {
    const said: string[] = []
    const context = (env: NodeJS.ProcessEnv) => ({
      env,
      color: false,
      stdout: { write: (text: string) => void said.push(text) },
      stderr: { write: (text: string) => void said.push(text) },
    })
    expect(tellProblem(context({}) as never, new TypeError('x is undefined'), false)).toBe(70)
    expect(said.join('')).toBe(
      'error: this is a bug of valuetrain: x is undefined\nhint: run the same again with VALUETRAIN_DEBUG=1 to see the stack, and report it with that\n',
    )
    said.length = 0
    const cause = new Error('the root')
    tellProblem(context({ VALUETRAIN_DEBUG: '1' }) as never, new ValuetrainError('VT_X', 'y', { cause }), false)
    expect(said.join('')).toMatch(/^error: y\nValuetrainError: y\n.*caused by: Error: the root/s)
  })
})
