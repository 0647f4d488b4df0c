import { defineConfig } from 'vitest/config'

/** Set by scripts that count results: a file to write them to as JSON, besides what is printed. */
const report = process.env.VALUETRAIN_TEST_REPORT

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    exclude: ['**/node_modules/**', 'dist/**', 'examples/**', ...(process.env.VALUETRAIN_LIVE === '1' ? [] : ['tests/live/**'])],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    reporters: report === undefined ? ['default'] : ['default', ['json', { outputFile: report }]],
  },
})
