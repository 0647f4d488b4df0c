export { type Measured, type Reward, type RewardFunction, type RewardFunctions, type RewardPart, rewardOf } from './reward.ts'
export { parseRewardSamples, type RewardSamples, type RewardTest, testReward } from './sample.ts'
export { DEFAULT_REWARD, parseRewardSpec, RewardComponent, RewardSpec, type RewardSpecInput } from './spec.ts'
