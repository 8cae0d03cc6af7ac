"""Proximal policy optimisation (Schulman et al. 2017) with generalised advantages, on a pendulum written here."""

import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim
from torch.distributions.normal import Normal


class Pendulums:
    """Several pendulums to be swung up by a bounded torque."""

    def __init__(self, num_envs, rng):
        self.num_envs, self.rng, self.t = num_envs, rng, 0

    def _observe(self):
        return np.stack([np.cos(self.angle), np.sin(self.angle), self.speed], 1).astype(np.float32)

    def reset(self):
        self.angle = self.rng.uniform(-np.pi, np.pi, self.num_envs)
        self.speed = self.rng.uniform(-1, 1, self.num_envs)
        return self._observe()

    def step(self, action):
        torque = np.clip(action[:, 0], -2, 2)
        upright = (self.angle + np.pi) % (2 * np.pi) - np.pi
        reward = -(upright**2 + 0.1 * self.speed**2 + 0.001 * torque**2)
        self.speed = np.clip(self.speed + (15 * np.sin(self.angle) + 3 * torque) * 0.05, -8, 8)
        self.angle = self.angle + self.speed * 0.05
        self.t += 1
        done = np.full(self.num_envs, self.t % 50 == 0)
        return (self.reset() if done[0] else self._observe()), reward, done


class Agent(nn.Module):
    def __init__(self):
        super().__init__()
        self.critic = nn.Sequential(nn.Linear(3, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))
        self.actor_mean = nn.Sequential(nn.Linear(3, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))
        self.actor_logstd = nn.Parameter(torch.zeros(1, 1))

    def get_value(self, x):
        return self.critic(x)

    def get_action_and_value(self, x, action=None, noise=None):
        action_mean = self.actor_mean(x)
        probs = Normal(action_mean, torch.exp(self.actor_logstd.expand_as(action_mean)))
        if action is None:
            action = probs.mean + probs.stddev * noise
        return action, probs.log_prob(action).sum(1), probs.entropy().sum(1), self.critic(x)


num_steps, num_envs, num_minibatches, update_epochs = 32, 4, 4, 3
gamma, gae_lambda, clip_coef = 0.99, 0.95, 0.2
batch_size = num_steps * num_envs
rng = np.random.default_rng(1)
envs = Pendulums(num_envs, rng)
agent = Agent()
for layer in agent.modules():
    if isinstance(layer, nn.Linear):
        nn.init.constant_(layer.bias, 0.0)
        layer.weight.data.copy_(torch.from_numpy(rng.normal(0, layer.in_features**-0.5, layer.weight.shape)))
optimizer = optim.Adam(agent.parameters(), lr=3e-4, eps=1e-5)

obs = torch.zeros((num_steps, num_envs, 3))
actions = torch.zeros((num_steps, num_envs, 1))
logprobs, rewards, dones, values = (torch.zeros((num_steps, num_envs)) for _ in range(4))
next_obs, next_done = torch.Tensor(envs.reset()), torch.zeros(num_envs)
num_updates = 6
for update in range(1, num_updates + 1):
    optimizer.param_groups[0]["lr"] = (1.0 - (update - 1.0) / num_updates) * 3e-4
    for step in range(num_steps):
        obs[step], dones[step] = next_obs, next_done
        with torch.no_grad():
            noise = torch.from_numpy(rng.standard_normal((num_envs, 1))).float()
            action, logprob, _, value = agent.get_action_and_value(next_obs, noise=noise)
            values[step] = value.flatten()
        actions[step], logprobs[step] = action, logprob
        next_obs, reward, done = envs.step(action.cpu().numpy())
        rewards[step] = torch.tensor(reward).view(-1)
        next_obs, next_done = torch.Tensor(next_obs), torch.Tensor(done)

    with torch.no_grad():
        next_value = agent.get_value(next_obs).reshape(1, -1)
        advantages = torch.zeros_like(rewards)
        lastgaelam = 0
        for t in reversed(range(num_steps)):
            last = t == num_steps - 1
            nextnonterminal = 1.0 - (next_done if last else dones[t + 1])
            nextvalues = next_value if last else values[t + 1]
            delta = rewards[t] + gamma * nextvalues * nextnonterminal - values[t]
            advantages[t] = lastgaelam = delta + gamma * gae_lambda * nextnonterminal * lastgaelam
        returns = advantages + values

    b_obs, b_actions = obs.reshape((-1, 3)), actions.reshape((-1, 1))
    b_logprobs, b_advantages = logprobs.reshape(-1), advantages.reshape(-1)
    b_returns, b_values = returns.reshape(-1), values.reshape(-1)
    b_inds = np.arange(batch_size)
    clipfracs = []
    for epoch in range(update_epochs):
        rng.shuffle(b_inds)
        for start in range(0, batch_size, batch_size // num_minibatches):
            mb_inds = b_inds[start : start + batch_size // num_minibatches]
            _, newlogprob, entropy, newvalue = agent.get_action_and_value(b_obs[mb_inds], b_actions[mb_inds])
            logratio = newlogprob - b_logprobs[mb_inds]
            ratio = logratio.exp()
            with torch.no_grad():
                approx_kl = ((ratio - 1) - logratio).mean()
                clipfracs += [((ratio - 1.0).abs() > clip_coef).float().mean().item()]
            mb_advantages = b_advantages[mb_inds]
            mb_advantages = (mb_advantages - mb_advantages.mean()) / (mb_advantages.std() + 1e-8)
            clipped = torch.clamp(ratio, 1 - clip_coef, 1 + clip_coef)
            pg_loss = torch.max(-mb_advantages * ratio, -mb_advantages * clipped).mean()
            newvalue = newvalue.view(-1)
            v_clipped = b_values[mb_inds] + torch.clamp(newvalue - b_values[mb_inds], -clip_coef, clip_coef)
            v_unclipped_error = (newvalue - b_returns[mb_inds]) ** 2
            v_loss = 0.5 * torch.max(v_unclipped_error, (v_clipped - b_returns[mb_inds]) ** 2).mean()
            loss = pg_loss - 0.01 * entropy.mean() + v_loss * 0.5
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(agent.parameters(), 0.5)
            optimizer.step()
        print(f"update {update} epoch {epoch} loss {loss.item():.5f} value {v_loss.item():.5f}")
    explained = 1 - np.var((b_returns - b_values).numpy()) / np.var(b_returns.numpy())
    print(f"kl {approx_kl.item():.5f} clipped {np.mean(clipfracs):.4f} explained variance {explained:.4f}")
