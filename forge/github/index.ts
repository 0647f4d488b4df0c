export { type GithubForge, type GithubForgeOptions, githubForge } from './forge.ts'
export { inspectForge } from './inspect.ts'
export { WEBHOOK_SECRET_NAME, withoutCredentials } from './names.ts'
export { type Delivery, openReceiver, type Receiver, type ReceiverOptions } from './receiver.ts'
