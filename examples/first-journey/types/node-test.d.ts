// The few declarations that the tests need, so that the library has no dependency at all.

declare module 'node:test' {
  export function test(name: string, run: () => void): void
}

declare module 'node:assert/strict' {
  interface Assert {
    equal(actual: unknown, expected: unknown, message?: string): void
    deepEqual(actual: unknown, expected: unknown, message?: string): void
    throws(run: () => unknown, expected: RegExp): void
  }
  const assert: Assert
  export default assert
}
