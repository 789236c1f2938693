// What was made for an attachment, written down before it is made: so that DEL, GC and the agent find it whatever died meanwhile,
// also when the pod's namespace or its configuration is gone. Records lie in the run directory: they end with the kernel state
// that they describe.
import { mkdirSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { bootId } from '../../kernel/boot.ts';
import { IpAddress } from '../../net/address.ts';
import { Mac } from '../../net/mac.ts';
import { isIdentifier, isInterfaceName } from '../../net/names.ts';
import { Prefix } from '../../net/prefix.ts';
import { transports } from '../../net/transport.ts';
import { errorCode } from '../../runtime/error-text.ts';
import { namesIn } from '../../runtime/names-in.ts';
import { type Attachment, attachmentFileName } from './attachment.ts';
import { type PodRules, ruleBackends } from './pod-rules.ts';

export interface AttachmentRecord {
  readonly attachment: Attachment;
  /** What was under way, or done, when it was written. Only `added` is whole. */
  readonly phase: 'adding' | 'added' | 'deleting';
  /** Of the kernel that has what is recorded: under another one nothing of it is left. */
  readonly bootId: string;
  /** The path that CNI gave, and device and inode of the namespace to which it led. */
  readonly netns: { readonly path: string; readonly identity: string };
  /** The host's end of the pair; undefined when another plugin made the interface. */
  readonly hostLink?: string | undefined;
  /** host-local's dataDir; undefined: no addresses of ours. */
  readonly ipamDirectory?: string | undefined;
  readonly addresses: readonly IpAddress[];
  /** Undefined: none. */
  readonly rules?: PodRules | undefined;
  /** True when there are limits, on the host's end and an ifb device. */
  readonly bandwidth: boolean;
  /** The host's end that another plugin made, if limits are on it. */
  readonly limitedLink?: string | undefined;
  /** "NAMESPACE/NAME" in Kubernetes. */
  readonly pod?: string | undefined;
  /** Milliseconds since 1970. */
  readonly madeAt: number;
}

/** A file among the records that is none. */
export interface SpoiltRecord {
  readonly path: string;
  readonly problem: string;
}

const parsedBy = <T>(parse: (text: string) => T | undefined, what: string) =>
  z.string().transform((text, context) => {
    const value = parse(text);
    if (value !== undefined) return value;
    context.addIssue({ code: 'custom', message: `is no ${what}` });
    return z.NEVER;
  });
const identifier = z.string().refine(isIdentifier);
const link = z.string().refine(isInterfaceName);
const address = parsedBy(IpAddress.tryParse, 'address');
const port = z.int().min(1).max(65535);
const attachment = z.object({ network: identifier, containerId: identifier, ifname: link });

const rules = z.object({
  attachment,
  backend: z.enum(ruleBackends),
  addresses: z.array(parsedBy(Prefix.tryParse, 'ADDRESS/LENGTH')),
  ports: z.array(
    z.object({
      protocol: z.enum(transports),
      hostPort: port,
      containerPort: port,
      hostIp: address.optional(),
    }),
  ),
  portMasquerade: z.enum(['needed', 'all', 'none']),
  masquerade: z.boolean(),
  spoofCheck: z.object({ hostLink: link, mac: parsedBy(Mac.tryParse, 'MAC address') }).optional(),
  bridge: link.optional(),
}) satisfies z.ZodType<PodRules>;

const shape = z.object({
  attachment,
  phase: z.enum(['adding', 'added', 'deleting']),
  bootId: z.string(),
  netns: z.object({ path: z.string(), identity: z.string() }),
  hostLink: link.optional(),
  ipamDirectory: z.string().optional(),
  addresses: z.array(address),
  rules: rules.optional(),
  bandwidth: z.boolean(),
  limitedLink: link.optional(),
  pod: z.string().optional(),
  madeAt: z.number(),
}) satisfies z.ZodType<AttachmentRecord>;

/** No power cut matters in the run directory: what is renamed is whole to every process. */
const temporaryEnding = '.tmp';

/** Records of all networks in one directory (0700). Writers of one attachment hold its lock. */
export class AttachmentRecords {
  readonly directory: string;

  /** Opens nothing. */
  constructor({ runDirectory }: { readonly runDirectory: string }) {
    this.directory = join(runDirectory, 'attachments');
  }

  /** Undefined when there is none, or none that can be read. */
  read(attachment: Attachment): AttachmentRecord | undefined {
    return this.readNamed(attachmentFileName(attachment));
  }

  /** As `read`, by the name of its file (attachmentFileName). */
  readNamed(name: string): AttachmentRecord | undefined {
    const found = readRecord(join(this.directory, `${name}.json`));
    return found === undefined || 'problem' in found ? undefined : found;
  }

  /** Replaces the file in one step. What a crash leaves of that bears the attachment's name, and goes with its next record. */
  write(record: AttachmentRecord): void {
    const path = this.#path(record.attachment);
    const temporary = `${path}${temporaryEnding}`;
    const text = `${JSON.stringify(record)}\n`;
    try {
      writeFileSync(temporary, text, { mode: 0o600 });
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
      mkdirSync(this.directory, { recursive: true, mode: 0o700 });
      writeFileSync(temporary, text, { mode: 0o600 });
    }
    renameSync(temporary, path);
  }

  /** None there is success. */
  remove(attachment: Attachment): void {
    const path = this.#path(attachment);
    unlinkIfThere(`${path}${temporaryEnding}`);
    unlinkIfThere(path);
  }

  /** Files that a crash left within `write`, by the names of their attachments' locks (attachmentFileName). */
  unfinished(): readonly string[] {
    const ending = `.json${temporaryEnding}`;
    return namesIn(this.directory).flatMap((name) =>
      name.endsWith(ending) ? [name.slice(0, -ending.length)] : [],
    );
  }

  /** Removes what `unfinished` found, whose lock the caller holds. */
  removeUnfinished(name: string): void {
    unlinkIfThere(join(this.directory, `${name}.json${temporaryEnding}`));
  }

  all(): { readonly records: readonly AttachmentRecord[]; readonly spoilt: readonly SpoiltRecord[] } {
    const records: AttachmentRecord[] = [];
    const spoilt: SpoiltRecord[] = [];
    for (const name of namesIn(this.directory).filter((file) => file.endsWith('.json'))) {
      const found = readRecord(join(this.directory, name));
      if (found === undefined) continue;
      if ('problem' in found) spoilt.push(found);
      else records.push(found);
    }
    return { records, spoilt };
  }

  #path(attachment: Attachment): string {
    return join(this.directory, `${attachmentFileName(attachment)}.json`);
  }
}

/** rmSync looks at what it removes first. */
function unlinkIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}

function readRecord(path: string): AttachmentRecord | SpoiltRecord | undefined {
  try {
    return shape.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    return errorCode(error) === 'ENOENT' ? undefined : { path, problem: String(error) };
  }
}

/** The rules that the kernel should have. An attachment that is being made has its rules recorded before they are carried. */
export function recordedRules(records: readonly AttachmentRecord[]): readonly PodRules[] {
  const boot = bootId();
  return records.flatMap(({ rules, phase, bootId: ofBoot }) =>
    rules === undefined || phase === 'deleting' || ofBoot !== boot ? [] : [rules],
  );
}
