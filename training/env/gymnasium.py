"""Answers for one Gymnasium environment over JSON lines: python gymnasium.py CartPole-v1

Protocol 1, one JSON object a line in each direction:
  {"op": "hello", "version": 1}     -> {"version": 1, "spec": {...}}
  {"op": "reset", "seed": 7}        -> {"observation": [...]}
  {"op": "step", "action": 1}       -> {"observation": [...], "reward": 1, "terminated": false, "truncated": false}
A bound that is infinite is written as null. Needs `pip install gymnasium` beside this interpreter.
"""

import json
import os
import sys

# What an environment prints must not get between the answers.
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

# Python puts this file's own folder first, and this file has the package's name.
sys.path = [path for path in sys.path if os.path.realpath(path or ".") != os.path.dirname(os.path.realpath(__file__))]
import gymnasium  # noqa: E402
import numpy  # noqa: E402


def space(of):
    if isinstance(of, gymnasium.spaces.Discrete):
        return {"kind": "discrete", "n": int(of.n)}
    if isinstance(of, gymnasium.spaces.Box):
        bound = lambda values: [float(v) if numpy.isfinite(v) and abs(v) < 3e38 else None for v in values.flatten()]
        return {"kind": "box", "shape": list(of.shape), "low": bound(of.low), "high": bound(of.high)}
    raise SystemExit(f"spaces of type {type(of).__name__} are not carried")


def flat(observation):
    return [float(value) for value in numpy.asarray(observation, dtype=numpy.float64).flatten()]


def main(name):
    env = gymnasium.make(name)
    for line in sys.stdin:
        ask = json.loads(line)
        if ask["op"] == "hello":
            spec = {"id": name, "observation": space(env.observation_space), "action": space(env.action_space)}
            answer = {"version": 1, "spec": {**spec, "maxSteps": env.spec.max_episode_steps}}
        elif ask["op"] == "reset":
            answer = {"observation": flat(env.reset(seed=ask["seed"])[0])}
        elif ask["op"] == "step":
            action = ask["action"]
            if not isinstance(env.action_space, gymnasium.spaces.Discrete):
                action = numpy.asarray(action, dtype=env.action_space.dtype).reshape(env.action_space.shape)
            observation, reward, terminated, truncated, _ = env.step(action)
            answer = {"observation": flat(observation), "reward": float(reward)}
            answer.update(terminated=bool(terminated), truncated=bool(truncated))
        else:
            raise SystemExit(f"unknown op {ask['op']!r}")
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main(sys.argv[1])
