// `netloom bench`: runs one of the benchmarks and prints its rows beside those of the peers on this machine.
import { writeFileSync } from 'node:fs';
import { arch, cpus, release, type } from 'node:os';
import { join, parse } from 'node:path';
import { Argument, Command } from 'commander';
import { z } from 'zod';
import type { Bench, BenchResult } from '../bench/bench.ts';
import { benchTable } from '../bench/bench-table.ts';
import { benchmarks } from '../bench/benchmarks.ts';
import type { CommandContext } from '../context.ts';
import { collected, numberBetween, parsed } from '../option-parsers.ts';
import { UsageError } from '../usage-error.ts';

const optionsShape = z.object({
  json: z.boolean().default(false),
  quick: z.boolean().default(false),
  runs: z.number().optional(),
  size: z.number().optional(),
  plot: z.string().optional(),
  backend: z.array(z.string()).optional(),
  seconds: z.number().optional(),
});

const usual = { runs: 7, size: 5000 };
const quick = { runs: 2, size: 1000 };

export function benchCommand(context: CommandContext): Command {
  const all = [...benchmarks.values()];
  const withTraffic = all.filter((bench) => bench.backends !== undefined);
  const trafficNames = withTraffic.map(({ name }) => name).join(', ');
  const backends = new Set(withTraffic.flatMap((bench) => bench.backends ?? []));
  return new Command('bench')
    .description(
      'Measures Netloom beside the programs that it stands in for: in turn, in one run, in namespaces of its own',
    )
    .addArgument(new Argument('<name>', 'Which one').choices([...benchmarks.keys()]))
    .option(
      '--runs <n>',
      `How often each case is run; the median counts (default: ${usual.runs})`,
      parsed(numberBetween(1, 1000)),
    )
    .option(
      '--size <n>',
      `How many objects the large cases handle (default: ${all.map(({ name, size = usual.size }) => `${name} ${size}`).join(', ')})`,
      parsed(numberBetween(1, 1_000_000)),
    )
    .option('--quick', `A first look: --runs ${quick.runs} --size ${quick.size}, unless given`)
    .option(
      '--plot <file>',
      `Draw cost against size into an SVG file (${all
        .filter(({ hasPlot }) => hasPlot)
        .map(({ name }) => name)
        .join(', ')})`,
    )
    .option(
      '--backend <name>',
      `Measure only this one; may be repeated (${trafficNames}: ${[...backends].join(', ')})`,
      collected,
    )
    .option(
      '--seconds <n>',
      `How long each sample of traffic lasts (${trafficNames}; default: 1)`,
      parsed(numberBetween(1, 3600)),
    )
    .option('--json', 'Print the rows as JSON')
    .addHelpText(
      'after',
      `
Benchmarks:
${all.map(({ name, summary }) => `  ${name.padEnd(10)} ${summary}`).join('\n')}

Examples:
${all.map(({ name }) => `  netloom bench ${name}`).join('\n')}
  netloom bench kernel --runs 3 --size 500 --json
  netloom bench path --backend vxlan --backend udp --seconds 3
  netloom bench proxy --size 50000 --plot proxy-cost.svg
  netloom bench stores --plot scale.svg`,
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
  const { plot } = options;
  if (plot !== undefined && bench.hasPlot !== true)
    throw new UsageError(`--plot: the benchmark "${bench.name}" has no plot`);
  for (const [option, value] of [
    ['--backend', options.backend],
    ['--seconds', options.seconds],
  ] as const) {
    if (value !== undefined && bench.backends === undefined)
      throw new UsageError(`${option}: the benchmark "${bench.name}" sends no traffic`);
  }
  const unknown = options.backend?.find((name) => bench.backends?.includes(name) === false);
  if (unknown !== undefined)
    throw new UsageError(`--backend: there is no "${unknown}"; want ${bench.backends?.join(', ')}`);
  const rows = await bench.run({
    runs: options.runs ?? (options.quick ? quick.runs : usual.runs),
    size: options.size ?? (options.quick ? quick.size : (bench.size ?? usual.size)),
    backends: options.backend,
    seconds: options.seconds,
    signal,
    leaveOut: (text) => terminal.note(`not measured: ${text}`),
    note: `${machineText()}, ${new Date().toISOString().slice(0, 10)}`,
    ...(plot === undefined ? {} : { onPlot: (svg, part) => writeFileSync(plotFile(plot, part), svg) }),
    progress: (text) => (terminal.watched ? terminal.redraw(`${text} …`) : terminal.note(text)),
  });
  const result: BenchResult = { bench: bench.name, machine: machineText(), rows };
  if (options.json) terminal.print(JSON.stringify(result));
  else for (const line of benchTable(result)) terminal.print(line);
}

/** "cost.svg", and "cost-outage.svg" beside it. */
function plotFile(path: string, part: string | undefined): string {
  if (part === undefined) return path;
  const { dir, name, ext } = parse(path);
  return join(dir, `${name}-${part}${ext}`);
}

/** "Linux 6.18.1 x64, 2 x AMD EPYC, Node v24.21.0" */
function machineText(): string {
  const processors = cpus();
  const model = processors[0]?.model.trim() ?? 'CPU';
  return `${type()} ${release()} ${arch()}, ${processors.length} x ${model}, Node ${process.version}`;
}
