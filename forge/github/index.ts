export { type GithubForge, type GithubForgeOptions, githubForge } from './forge.ts'
export { withoutCredentials } from './names.ts'
