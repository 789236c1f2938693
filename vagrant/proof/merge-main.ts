// Prints the steps of vagrant/ci and the checks that its proof saved as one list, in the shape of `netloom lab check --json`.
import { existsSync, readFileSync } from 'node:fs';
import { z } from 'zod';

const report = z.object({ checks: z.array(z.looseObject({ name: z.string(), ok: z.boolean() })) });
const [directory = ''] = process.argv.slice(2);

const steps = lines(`${directory}/steps`).map((line) => {
  const [name = '', code, ms, detail = ''] = line.split('\t');
  return { name, ok: code === '0', ms: Number(ms), detail };
});
const [saved] = lines(`${directory}/checks`);
const proven = saved === undefined ? [] : report.parse(JSON.parse(saved)).checks;
process.stdout.write(`${JSON.stringify({ checks: [...steps, ...proven] })}\n`);

function lines(file: string): readonly string[] {
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : [];
}
