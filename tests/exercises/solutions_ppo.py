"""The solutions that the PPO chapter shows; the tests run them through `check`."""

from math import exp


def returns(rewards, gamma):
    found, after = [], 0.0
    for reward in reversed(rewards):
        after = reward + gamma * after
        found.append(after)
    return found[::-1]


def advantages(policy, action_values):
    value = sum(p * q for p, q in zip(policy, action_values, strict=True))
    return [q - value for q in action_values]


def gae(rewards, values, next_values, terminated, truncated, gamma, lam):
    estimates, after = [], 0.0
    for t in reversed(range(len(rewards))):
        bootstrap = 0.0 if terminated[t] else gamma * next_values[t]
        if terminated[t] or truncated[t]:
            after = 0.0
        after = rewards[t] + bootstrap - values[t] + gamma * lam * after
        estimates.append(after)
    return estimates[::-1]


def clipped_gradient(ratios, advantages, epsilon):
    slopes = []
    for ratio, advantage in zip(ratios, advantages, strict=True):
        too_far = ratio > 1 + epsilon if advantage > 0 else ratio < 1 - epsilon
        slopes.append(0.0 if too_far else advantage)
    return slopes


def combine(earlier, later):
    return [earlier[0] * later[0], earlier[1] + earlier[0] * later[1]]


def tilted(reference, rewards, beta):
    best = max(rewards)
    weights = [
        p * exp((reward - best) / beta)
        for p, reward in zip(reference, rewards, strict=True)
    ]
    return [weight / sum(weights) for weight in weights]
