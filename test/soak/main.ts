/**
 * Run as `npm run soak -- [ROUNDS]`: the crash tests with many more crashes, at other moments in each round. Says the seed
 * of a round that fails, so that it can be played again: `CRASH_SEED=… npm test -- crash`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { nodeCommand } from '../../src/devstack/node-command.ts';

const ROUNDS = 3;
const SETTINGS = { CRASH_WORKERS: '40', CRASH_SERVER_KILLS: '10' };

async function soak(rounds: number): Promise<number> {
  const first = Number(process.env.CRASH_SEED ?? Date.now() % 1_000_000);
  for (let seed = first; seed < first + rounds; seed += 1) {
    const { program, args } = nodeCommand('test/run.ts');
    const env = { ...process.env, ...SETTINGS, CRASH_SEED: String(seed) };
    const round = spawn(program, [...args, 'test/crash'], { env, stdio: 'inherit' });
    const [exitCode] = (await once(round, 'exit')) as [number | null];
    if (exitCode !== 0) {
      process.stderr.write(`the round with CRASH_SEED=${seed} failed\n`);
      return 1;
    }
  }
  return 0;
}

process.exitCode = await soak(Number(process.argv[2] ?? ROUNDS));
