// Draws a lab for people: the underlay with outside and the nodes on it, each node a box with its lease, agent and pods. Pure.
import type { LabReport } from './lab-report.ts';

const usualWidth = 100;
const gap = 2;
const busName = ' underlay';

/** Boxes that do not fit within `width` columns go on a further row. */
export function drawLab(lab: LabReport, width = usualWidth): readonly string[] {
  const boxes = lab.nodes.map(nodeBox);
  const list = (of: keyof LabReport['networks'][number]): string =>
    lab.networks.map((network) => network[of]).join(', ');
  const title = `lab ${lab.name} · ${lab.backend} · ${lab.proxyMode} · pods ${list('pods')}${lab.phase === 'starting' ? ' · not complete' : ''}`;
  const rows = intoRows(boxes, width - gap - busName.length);
  return [
    title,
    '',
    `  outside ${list('internet')}`,
    `     │ ${list('gateway')}`,
    ...rows.flatMap((row, i) =>
      drawRow(row, { width: rowWidth(rows), first: i === 0, last: i === rows.length - 1 }),
    ),
  ];
}

function nodeBox(node: LabReport['nodes'][number]): readonly string[] {
  const head = [
    ...listed(node.name, node.addresses),
    ...listed('lease', node.leases.length === 0 ? ['none'] : node.leases),
    columns('agent', agentWords(node.agent)),
    columns('proxy', proxyWords(node.proxy)),
  ];
  const pods =
    node.pods.length === 0
      ? ['no pods']
      : node.pods.flatMap(({ name, addresses }) =>
          listed(name, addresses.length === 0 ? ['not wired'] : addresses),
        );
  const inner = Math.max(...[...head, ...pods].map((line) => line.length));
  const framed = (line: string): string => `│ ${line.padEnd(inner)} │`;
  const rule = '─'.repeat(inner + 2);
  return [`┌${rule}┐`, ...head.map(framed), `├${rule}┤`, ...pods.map(framed), `└${rule}┘`];
}

function proxyWords({ state, services }: LabReport['nodes'][number]['proxy']): string {
  switch (state) {
    case 'ready':
      return `ready, ${serviceWords(services)}`;
    case 'not-ready':
      return 'not ready';
    case 'silent':
      return 'does not answer';
    case 'stopped':
      return 'not running';
    default:
      return state satisfies never;
  }
}

/** Of each family; once where there are as many in both. */
function serviceWords(counts: readonly number[]): string {
  const told = [...new Set(counts)].join(' + ');
  return `${told} ${told === '1' ? 'service' : 'services'}`;
}

function agentWords(agent: LabReport['nodes'][number]['agent']): string {
  switch (agent.state) {
    case 'ready':
      return `ready, ${agent.peers} ${agent.peers === 1 ? 'peer' : 'peers'}`;
    case 'not-ready':
      return `not ready, ${agent.peers} ${agent.peers === 1 ? 'peer' : 'peers'}`;
    case 'silent':
      return 'does not answer';
    case 'stopped':
      return 'not running';
    default:
      return agent.state satisfies never;
  }
}

/** A line each, the name before the first. */
function listed(name: string, values: readonly string[]): readonly string[] {
  return values.map((value, i) => columns(i === 0 ? name : '', value));
}

function columns(left: string, right: string): string {
  return `${left.padEnd(8)} ${right}`;
}

type Row = readonly (readonly string[])[];

function intoRows(boxes: Row, width: number): readonly Row[] {
  const rows: (readonly string[])[][] = [];
  for (const box of boxes) {
    const row = rows.at(-1);
    if (row !== undefined && cells([...row, box]) <= width) row.push(box);
    else rows.push([box]);
  }
  return rows;
}

function cells(row: Row): number {
  return row.reduce((sum, box) => sum + gap + (box[0]?.length ?? 0), 0);
}

function rowWidth(rows: readonly Row[]): number {
  return Math.max(0, ...rows.map(cells));
}

/** The underlay as a double line, with a stem down to each box of the row. */
function drawRow(
  row: Row,
  { width, first, last }: { readonly width: number; readonly first: boolean; readonly last: boolean },
): readonly string[] {
  const height = Math.max(...row.map((box) => box.length));
  const bus = Array.from({ length: width + gap }, () => '═');
  if (first) bus[5] = '╧';
  let left = gap;
  const stems = row.map((box) => {
    const middle = left + Math.floor((box[0]?.length ?? 0) / 2);
    left += (box[0]?.length ?? 0) + gap;
    return middle;
  });
  for (const stem of stems) bus[stem] = bus[stem] === '╧' ? '╪' : '╤';
  const lines = Array.from({ length: height }, (_, i) => {
    const text = row.map((box) => {
      const blank = ' '.repeat(box[0]?.length ?? 0);
      return ' '.repeat(gap) + (box[i] ?? blank);
    });
    return text.join('');
  }).map((line, i) => (i === 0 ? withStems(line, stems) : line.trimEnd()));
  return [`${bus.join('')}${first ? busName : ''}`, ...lines, ...(last ? [] : [''])];
}

function withStems(line: string, stems: readonly number[]): string {
  const cellsOf = [...line];
  for (const stem of stems) cellsOf[stem] = '┴';
  return cellsOf.join('').trimEnd();
}
