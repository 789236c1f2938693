// The answer of a proxy's /status (proxy/proxy-status.ts) as text for people: mode, what is programmed, what is wrong. Pure.
import { z } from 'zod';
import { followedShape, followedText } from './followed-text.ts';

const problem = z.looseObject({ object: z.string(), message: z.string() });

/** What the text is made of; --json passes on all that the proxy said. */
export const proxyStatusShape = z.looseObject({
  mode: z.string(),
  ready: z.boolean(),
  blockers: z.array(z.string()),
  families: z.array(
    z.looseObject({
      family: z.string(),
      services: z.number(),
      ports: z.number(),
      endpoints: z.number(),
      lastSync: z.looseObject({ at: z.string(), milliseconds: z.number() }).nullable(),
      failedPorts: z.looseObject({
        total: z.number(),
        list: z.array(z.looseObject({ port: z.string(), message: z.string() })),
      }),
      repaired: z.number(),
    }),
  ),
  /** Absent in the answers of older proxies. */
  source: followedShape.optional(),
  problems: z.looseObject({ total: z.number(), list: z.array(problem) }),
});

export type ProxyStatus = z.infer<typeof proxyStatusShape>;

/** So many lines of each kind of trouble; `--json` has more. */
const shown = 10;

export function proxyStatusText(status: ProxyStatus): readonly string[] {
  const { problems, families } = status;
  const failed = families.flatMap(({ failedPorts }) => failedPorts.list);
  const failedTotal = families.reduce((sum, { failedPorts }) => sum + failedPorts.total, 0);
  return [
    `proxy     ${status.mode}  ${status.ready ? 'ready' : `not ready: ${status.blockers.join('; ')}`}`,
    ...(status.source === undefined ? [] : [`  source  ${followedText(status.source)}`]),
    ...families.map(familyText),
    ...section('failed', {
      total: failedTotal,
      lines: failed.map(({ port, message }) => `${port}  ${message}`),
    }),
    ...section('problems', {
      total: problems.total,
      lines: problems.list.map(({ object, message }) => `${object}  ${message}`),
    }),
  ];
}

function familyText(family: ProxyStatus['families'][number]): string {
  const { services, ports, endpoints, lastSync, repaired } = family;
  const counts = `${services} services, ${ports} ports, ${endpoints} endpoints`;
  const last = lastSync === null ? '' : `; last change ${lastSync.at} in ${lastSync.milliseconds} ms`;
  const put = repaired === 0 ? '' : `; put back ${repaired} times`;
  return `  ${family.family}    ${counts}${last}${put}`;
}

function section(
  title: string,
  { total, lines }: { readonly total: number; readonly lines: readonly string[] },
): readonly string[] {
  if (total === 0) return [];
  const rest = total - Math.min(lines.length, shown);
  return [
    `  ${title}  ${total}`,
    ...lines.slice(0, shown).map((line) => `    ${line}`),
    ...(rest > 0 ? [`    … and ${rest} more (--json)`] : []),
  ];
}
