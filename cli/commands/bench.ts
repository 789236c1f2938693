// `netloom bench`: runs one of the benchmarks and prints its rows beside those of the peers on this machine.
import { arch, cpus, release, type } from 'node:os';
import { Argument, Command } from 'commander';
import { z } from 'zod';
import type { Bench, BenchResult } from '../bench/bench.ts';
import { benchTable } from '../bench/bench-table.ts';
import { benchmarks } from '../bench/benchmarks.ts';
import type { CommandContext } from '../context.ts';
import { numberBetween, parsed } from '../option-parsers.ts';

const optionsShape = z.object({ json: z.boolean().default(false), runs: z.number(), size: z.number() });

export function benchCommand(context: CommandContext): Command {
  const all = [...benchmarks.values()];
  return new Command('bench')
    .description(
      'Measures Netloom beside the programs that it stands in for: in turn, in one run, in namespaces of its own',
    )
    .addArgument(new Argument('<name>', 'Which one').choices([...benchmarks.keys()]))
    .option('--runs <n>', 'How often each case is run; the median counts', parsed(numberBetween(1, 1000)), 7)
    .option(
      '--size <n>',
      'How many objects the large cases handle',
      parsed(numberBetween(1, 1_000_000)),
      5000,
    )
    .option('--json', 'Print the rows as JSON')
    .addHelpText(
      'after',
      `
Benchmarks:
${all.map(({ name, summary }) => `  ${name.padEnd(10)} ${summary}`).join('\n')}

Examples:
${all.map(({ name }) => `  netloom bench ${name}`).join('\n')}
  netloom bench kernel --runs 3 --size 500 --json`,
    )
    .action(async (name: string, given: unknown) => {
      const bench = benchmarks.get(name);
      if (bench === undefined) throw new RangeError(`There is no benchmark "${name}"`);
      await run(bench, { context, ...optionsShape.parse(given) });
    });
}

async function run(
  bench: Bench,
  options: z.infer<typeof optionsShape> & { readonly context: CommandContext },
): Promise<void> {
  const { terminal, signal } = options.context;
  const rows = await bench.run({
    runs: options.runs,
    size: options.size,
    signal,
    progress: (text) => (terminal.watched ? terminal.redraw(`${text} …`) : terminal.note(text)),
  });
  const result: BenchResult = { bench: bench.name, machine: machineText(), rows };
  if (options.json) terminal.print(JSON.stringify(result));
  else for (const line of benchTable(result)) terminal.print(line);
}

/** "Linux 6.18.1 x64, 2 x AMD EPYC, Node v24.21.0" */
function machineText(): string {
  const processors = cpus();
  const model = processors[0]?.model.trim() ?? 'CPU';
  return `${type()} ${release()} ${arch()}, ${processors.length} x ${model}, Node ${process.version}`;
}
