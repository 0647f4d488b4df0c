export { type AgentSpec, agentsOf, KNOWN_AGENTS } from './agents.ts'
export { BRIEF_CHARACTERS, type BriefFacts, briefOf } from './brief.ts'
export {
  type Broker,
  type BrokerFacts,
  CAPS,
  type Caps,
  Intent,
  type IntentKind,
  openBroker,
  parseIntent,
  type Ruling,
} from './broker.ts'
export { type Choice, type ChoiceFacts, chooseRuntime, recipeOf, recipeProblem } from './choose.ts'
export { cleanIssueText, fenced } from './issue-text.ts'
export { allowedTools, judgeTool, TOOLS, type Tool } from './policy.ts'
export { listRuntimes, type RegistryOptions } from './registry.ts'
export { acpRuntime } from './runtimes/acp.ts'
export { execRuntime } from './runtimes/exec.ts'
export { launchOf } from './runtimes/launch.ts'
export { loopRuntime } from './runtimes/loop.ts'
export { HAND_OFF_FILE, personRuntime } from './runtimes/person.ts'
export { recipeRuntime } from './runtimes/recipe.ts'
export { loadScript, parseScript, SCRIPT_FILE, Script, ScriptedTurn, type ScriptInput, Step } from './runtimes/script.ts'
export { scriptedRuntime } from './runtimes/scripted.ts'
export { compareIssues, type Selection, type SelectionFacts, selectIssues } from './select.ts'
