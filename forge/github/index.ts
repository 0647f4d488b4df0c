export { withoutCredentials } from './credentials.ts'
export { type GithubForge, type GithubForgeOptions, githubForge } from './forge.ts'
