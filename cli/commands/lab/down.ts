// `netloom lab down`: removes one lab or all of them.
import { z } from 'zod';
import type { CommandContext } from '../../context.ts';
import { withLabLock } from '../../lab/lab-record.ts';
import { knownLabs, sweepLab } from '../../lab/sweep.ts';
import { type Given, usualOptions } from '../lab-action.ts';

const downOptions = usualOptions.extend({ all: z.boolean().default(false) });

export async function down(context: CommandContext, given: Given): Promise<void> {
  const options = downOptions.parse(given.options);
  const { terminal, signal } = context;
  const labs = options.all ? knownLabs() : [options.name];
  const removed = [];
  for (const lab of labs) {
    const swept = await withLabLock(lab, { signal, action: () => sweepLab(lab) });
    removed.push({ lab, ...swept });
    if (options.json) continue;
    const { processes, namespaces, files } = swept;
    terminal.print(
      processes + namespaces > 0 || files
        ? `Removed lab "${lab}": ${processes} processes, ${namespaces} namespaces`
        : `There is no lab "${lab}"`,
    );
  }
  if (options.json) terminal.print(JSON.stringify({ removed }));
  else if (labs.length === 0) terminal.print('There are no labs');
}
