// `netloom lab pod add` and `rm`.

import { z } from 'zod';
import type { CommandContext } from '../../context.ts';
import { planPod } from '../../lab/lab-plan.ts';
import { labRecord, withLabLock, withPod } from '../../lab/lab-record.ts';
import { type LabState, requireLab } from '../../lab/lab-state.ts';
import { addPod, removePod } from '../../lab/pods.ts';
import { syncEndpoints } from '../../lab/responder-client.ts';
import { UsageError } from '../../usage-error.ts';
import { asUsage, type Given, progressFor, usualOptions } from '../lab-action.ts';

const labels = z.record(z.string(), z.string()).optional();
const podAddOptions = usualOptions.extend({ node: z.string().optional(), label: labels });

export async function podAdd(context: CommandContext, given: Given): Promise<void> {
  const options = podAddOptions.parse(given.options);
  const { signal, terminal } = context;
  const pod = await withLabLock(options.name, {
    signal,
    action: async () => {
      const state = requireLab(options.name);
      const node = options.node ?? emptiestNode(state);
      const planned = asUsage(() =>
        planPod(state.name, { name: given.args[0] ?? '', node, labels: options.label }),
      );
      if (state.pods.some(({ name }) => name === planned.name)) {
        throw new Error(`There is a pod "${planned.name}" in lab "${state.name}" already`);
      }
      if (!state.nodes.some(({ name }) => name === node)) {
        const names = state.nodes.map(({ name }) => name).join(', ');
        throw new UsageError(`There is no node "${node}" in lab "${state.name}": it has ${names}`);
      }
      const progress = progressFor(context, options.json);
      return await progress.step(`Wiring pod "${planned.name}" on ${node}`, () =>
        addPod(labRecord(state), { pod: planned, signal }),
      );
    },
  });
  terminal.print(
    options.json
      ? JSON.stringify({ ...pod, address: pod.addresses[0] })
      : `${pod.name} ${pod.addresses.join(' ')} on ${pod.node}`,
  );
}

export async function podRemove(context: CommandContext, given: Given): Promise<void> {
  const options = usualOptions.parse(given.options);
  const name = given.args[0] ?? '';
  await withLabLock(options.name, {
    signal: context.signal,
    action: async () => {
      const state = requireLab(options.name);
      const pod = state.pods.find((candidate) => candidate.name === name);
      if (pod === undefined) throw new Error(`There is no pod "${name}" in lab "${state.name}"`);
      await progressFor(context, options.json).step(`Removing pod "${name}"`, () =>
        removePod(labRecord(state), pod),
      );
    },
  });
  if (options.json) context.terminal.print(JSON.stringify({ removed: name }));
}

export async function podLabel(context: CommandContext, given: Given): Promise<void> {
  const options = usualOptions.parse(given.options);
  const [name = '', ...words] = given.args;
  const pod = await withLabLock(options.name, {
    signal: context.signal,
    action: async () => {
      const lab = labRecord(requireLab(options.name));
      const known = lab.state.pods.find((candidate) => candidate.name === name);
      if (known === undefined) throw new Error(`There is no pod "${name}" in lab "${lab.state.name}"`);
      const labelled = { ...known, labels: asUsage(() => relabelled(known.labels, words)) };
      lab.update((state) => withPod(state, labelled));
      await syncEndpoints(lab.state.name);
      return labelled;
    },
  });
  if (options.json) context.terminal.print(JSON.stringify(pod));
  else
    context.terminal.print(
      Object.entries(pod.labels)
        .map(([label, value]) => `${label}=${value}`)
        .join(' '),
    );
}

/** "name=value" sets, "name-" takes away. Throws SyntaxError for anything else. */
function relabelled(
  labels: Readonly<Record<string, string>>,
  words: readonly string[],
): Readonly<Record<string, string>> {
  const changed = new Map(Object.entries(labels));
  for (const word of words) {
    const [, name, value] = /^([^=]+)=(.*)$/.exec(word) ?? [];
    if (name !== undefined && value !== undefined) changed.set(name, value);
    else if (word.endsWith('-')) changed.delete(word.slice(0, -1));
    else throw new SyntaxError(`Cannot use label "${word}": want name=value, or name- to take it away`);
  }
  return Object.fromEntries(changed);
}

function emptiestNode(state: LabState): string {
  const count = (node: string): number => state.pods.filter((pod) => pod.node === node).length;
  const [first] = [...state.nodes].sort((a, b) => count(a.name) - count(b.name));
  if (first === undefined) throw new Error(`Lab "${state.name}" has no nodes`);
  return first.name;
}
