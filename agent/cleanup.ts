// Takes away what Netloom made on a node, and nothing else: lease, links, routes, rules, firewall, files. What bears our mark is
// found by it, the rest by the record in the state directory.
import { lstatSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { netloomRouteProtocol, type RouteState, routeState } from '../kernel/route/objects.ts';
import { planRoute } from '../kernel/route/plan.ts';
import type { RouteDriver, RouteScope } from '../kernel/route/step.ts';
import { routeStepText } from '../kernel/route/text.ts';
import { errorCode, errorMessage } from '../runtime/error-text.ts';
import { unixRequest } from '../runtime/unix-request.ts';
import type { LeaseStore } from '../store/lease-store.ts';
import type { StoreError } from '../store/store-error.ts';
import { isNetloomAlias } from './alias.ts';
import type { Firewall } from './firewall.ts';
import { type MadeRecord, textDigest } from './made-record.ts';
import { readFileIfThere } from './node-files.ts';
import type { Sysctls } from './node-sysctls.ts';
import { peerName } from './peer-name.ts';
import type { Attachment } from './wiring/attachment.ts';

export interface CleanupOptions {
  readonly node: string;
  readonly store: LeaseStore | UnopenedStore;
  readonly route: RouteDriver;
  /** Both ways of carrying rules; iptables is only asked when the record says that it was used. */
  readonly nft: Pick<Firewall, 'ensure'>;
  readonly iptables: Pick<Firewall, 'ensure'>;
  readonly hasNftTable: () => boolean;
  readonly made: MadeRecord;
  readonly sysctls: Sysctls;
  /** The pods' interfaces, addresses and rules. */
  readonly attachments: {
    all(): readonly Attachment[];
    remove(attachment: Attachment): Promise<void>;
    hasRules(): Promise<boolean>;
    removeRules(): Promise<void>;
  };
  /** The peers that the extension's program was told to add. */
  readonly extension: AddedPeers;
  readonly stateDirectory: string;
  readonly socketPath: string;
  /** Say what would be done, and do nothing. */
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
}

export interface AddedPeers {
  /** By name. */
  readonly peers: readonly string[];
  /** Returns what failed, by name. Absent: no program is named. */
  readonly remove?: ((signal: AbortSignal) => Promise<ReadonlyMap<string, unknown>>) | undefined;
}

/** Why there is no store to give the lease back to. */
export interface UnopenedStore {
  readonly unopened: StoreError;
}

export interface CleanupReport {
  /** What was taken away (with `dryRun`: would be), as a command or in words. */
  readonly done: readonly string[];
  /** What was left on purpose, and why. */
  readonly left: readonly string[];
  /** What could not be taken away, and why. */
  readonly failed: readonly string[];
}

/** Throws when the agent still runs: it would put everything back. */
export async function cleanUp(options: CleanupOptions): Promise<CleanupReport> {
  if (await answers(options.socketPath)) {
    throw new Error(`Cannot clean up: the agent answers on "${options.socketPath}"; stop it first`);
  }
  const lease = newReport();
  await releaseLease(options, lease);
  const report = newReport();
  await removeAttachments(options, report);
  await removeAddedPeers(options, report);
  removeRoutes(options, report);
  await removeFirewall(options, report);
  await restoreSysctls(options, report);
  removeFiles(options, report);
  // No file of the node's would help to release it another time.
  return {
    done: [...lease.done, ...report.done],
    left: report.left,
    failed: [...lease.failed, ...report.failed],
  };
}

interface Report {
  readonly done: string[];
  readonly left: string[];
  readonly failed: string[];
}

function newReport(): Report {
  return { done: [], left: [], failed: [] };
}

async function answers(socketPath: string): Promise<boolean> {
  try {
    await unixRequest({ socketPath, path: '/healthz', timeoutMs: 1000 });
    return true;
  } catch {
    return false;
  }
}

async function attempt(report: Report, what: string, action: () => void | Promise<void>): Promise<void> {
  try {
    await action();
    report.done.push(what);
  } catch (error) {
    report.failed.push(`${what}: ${errorMessage(error)}`);
  }
}

async function releaseLease(options: CleanupOptions, report: Report): Promise<void> {
  const { node, store, signal, dryRun } = options;
  try {
    if ('unopened' in store) throw store.unopened;
    const { leases } = await store.snapshot(signal);
    for (const [key, lease] of leases) {
      if (lease.node !== node) continue;
      await attempt(report, `release lease ${key} of ${peerName(lease)}`, async () => {
        if (!dryRun) await store.release(lease, signal);
      });
    }
  } catch (error) {
    signal.throwIfAborted();
    report.failed.push(`release lease: it stays in the store; ${errorMessage(error)}`);
  }
}

/** Before the links: an attachment knows all that was made for it, and gives its addresses back. */
async function removeAttachments({ attachments, dryRun }: CleanupOptions, report: Report): Promise<void> {
  for (const attachment of attachments.all()) {
    const { network, containerId, ifname } = attachment;
    await attempt(
      report,
      `interface ${ifname} of container ${containerId} in network ${network}`,
      async () => {
        if (!dryRun) await attachments.remove(attachment);
      },
    );
  }
  try {
    if (!(await attachments.hasRules())) return;
  } catch (error) {
    report.failed.push(`rules of pods: ${errorMessage(error)}`);
    return;
  }
  await attempt(report, 'rules of pods: tables and chains', async () => {
    if (!dryRun) await attachments.removeRules();
  });
}

/** All links with our mark, the pods' as well, and all routes and rules with our protocol number. */
export function cleanupScope(actual: RouteState): RouteScope {
  const marked = [...actual.links.values()].filter(({ alias }) => isNetloomAlias(alias));
  return {
    links: new Set(marked.map(({ name }) => name)),
    addressesOn: new Set(),
    neighboursOn: new Set(),
    fdbOn: new Set(),
    protocol: netloomRouteProtocol,
  };
}

function removeRoutes({ route, dryRun }: CleanupOptions, report: Report): void {
  try {
    const actual = route.read();
    const steps = planRoute(routeState({}), actual, cleanupScope(actual));
    if (dryRun) {
      report.done.push(...steps.map(routeStepText));
      return;
    }
    for (const { step, error } of route.apply(steps)) {
      if (error === undefined) report.done.push(routeStepText(step));
      else report.failed.push(`${routeStepText(step)}: ${error.message}`);
    }
  } catch (error) {
    report.failed.push(`links and routes: ${errorMessage(error)}`);
  }
}

async function removeFirewall(options: CleanupOptions, report: Report): Promise<void> {
  const { nft, iptables, hasNftTable, made, dryRun, signal } = options;
  const look = { signal, thorough: true };
  let there = false;
  try {
    there = hasNftTable();
  } catch (error) {
    report.failed.push(`nft delete table inet netloom: ${errorMessage(error)}`);
  }
  if (there) {
    await attempt(report, 'nft delete table inet netloom', async () => {
      if (!dryRun) await nft.ensure(undefined, look);
    });
  }
  if (made.iptables) {
    await attempt(report, 'iptables chains NETLOOM-POSTRTG and NETLOOM-FWD', async () => {
      if (dryRun) return;
      await iptables.ensure(undefined, look);
      made.noteIptables(false);
    });
  }
}

/** To what they were, unless somebody changed them since. */
async function restoreSysctls({ made, sysctls, dryRun }: CleanupOptions, report: Report): Promise<void> {
  for (const [key, { before, written }] of made.sysctls) {
    const name = key.replaceAll('/', '.');
    try {
      const value = sysctls.read(key);
      if (value === undefined || value === before) continue;
      if (value === written)
        await attempt(report, `sysctl -w ${name}=${before}`, () => {
          if (!dryRun) sysctls.write(key, before);
        });
      else report.left.push(`sysctl ${name}: it was changed since Netloom wrote it`);
    } catch (error) {
      report.failed.push(`sysctl ${name}: ${errorMessage(error)}`);
    }
  }
}

async function removeAddedPeers(
  { extension, dryRun, signal }: CleanupOptions,
  report: Report,
): Promise<void> {
  const { peers, remove } = extension;
  if (peers.length > 0 && remove === undefined) {
    report.failed.push(
      `remove ${peers.length} peers of the extension: name its program (--extension-program) once more`,
    );
    return;
  }
  const failed = dryRun ? undefined : await remove?.(signal);
  for (const name of peers) {
    const error = failed?.get(name);
    if (error === undefined) report.done.push(`remove ${name}`);
    else report.failed.push(`remove ${name}: ${errorMessage(error)}`);
  }
}

function removeFiles(options: CleanupOptions, report: Report): void {
  const { made, stateDirectory, socketPath, dryRun } = options;
  for (const [path, digest] of made.files) {
    const text = tryRead(path, report);
    if (text === undefined) continue;
    if (textDigest(text) === digest) removeFile(path, { report, dryRun });
    else report.left.push(`${path}: it was changed since Netloom wrote it`);
  }
  if (report.failed.length > 0) {
    report.left.push(`${stateDirectory}: needed to clean up what failed`);
    return;
  }
  for (const path of [
    socketPath,
    join(stateDirectory, 'macs.json'),
    join(stateDirectory, 'wireguard.key'),
    join(stateDirectory, 'extension.json'),
    made.path,
  ]) {
    removeFile(path, { report, dryRun });
  }
  if (dryRun) return;
  removeIfEmpty(stateDirectory);
  removeEmptyTree(dirname(socketPath));
}

function tryRead(path: string, report: Report): string | undefined {
  try {
    return readFileIfThere(path);
  } catch (error) {
    report.failed.push(`${path}: ${errorMessage(error)}`);
    return undefined;
  }
}

function removeFile(
  path: string,
  { report, dryRun }: { readonly report: Report; readonly dryRun: boolean },
): void {
  try {
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return;
    if (!dryRun) rmSync(path, { force: true });
    report.done.push(`rm ${path}`);
  } catch (error) {
    report.failed.push(`rm ${path}: ${errorMessage(error)}`);
  }
}

/** The run directory and what is directly in it, as far as nothing is left there. */
function removeEmptyTree(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return;
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) removeIfEmpty(join(path, entry.name));
  }
  removeIfEmpty(path);
}

function removeIfEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch (error) {
    if (!['ENOTEMPTY', 'ENOENT', 'EBUSY'].includes(errorCode(error) ?? '')) throw error;
  }
}
