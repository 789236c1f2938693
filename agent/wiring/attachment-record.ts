// What was made for an attachment, written down before it is made: so that DEL, GC and the agent find it whatever died meanwhile,
// also when the pod's namespace or its configuration is gone. Records lie in the run directory: they end with the kernel state
// that they describe.
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { IpAddress } from '../../net/address.ts';
import { Mac } from '../../net/mac.ts';
import { isIdentifier, isInterfaceName } from '../../net/names.ts';
import { Prefix } from '../../net/prefix.ts';
import { errorCode } from '../../runtime/error-text.ts';
import { writeFileAtomicSync } from '../../runtime/write-file.ts';
import { type Attachment, attachmentFileName } from './attachment.ts';
import { type PodRules, portProtocols, ruleBackends } from './pod-rules.ts';

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
      protocol: z.enum(portProtocols),
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
  pod: z.string().optional(),
  madeAt: z.number(),
}) satisfies z.ZodType<AttachmentRecord>;

/** Records of all networks in one directory (0700). Writers of one attachment hold its lock. */
export class AttachmentRecords {
  readonly directory: string;

  /** `<runDirectory>/attachments`. Opens nothing. */
  constructor(directory: string) {
    this.directory = directory;
  }

  /** Undefined when there is none, or none that can be read. */
  read(attachment: Attachment): AttachmentRecord | undefined {
    const found = readRecord(this.#path(attachment));
    return found === undefined || 'problem' in found ? undefined : found;
  }

  write(record: AttachmentRecord): void {
    mkdirSync(this.directory, { recursive: true, mode: 0o700 });
    writeFileAtomicSync(this.#path(record.attachment), `${JSON.stringify(record)}\n`, { mode: 0o600 });
  }

  /** None there is success. */
  remove(attachment: Attachment): void {
    rmSync(this.#path(attachment), { force: true });
  }

  all(): { readonly records: readonly AttachmentRecord[]; readonly spoilt: readonly SpoiltRecord[] } {
    const records: AttachmentRecord[] = [];
    const spoilt: SpoiltRecord[] = [];
    for (const name of names(this.directory)) {
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

function names(directory: string): readonly string[] {
  try {
    return readdirSync(directory).filter((name) => name.endsWith('.json'));
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  }
}

function readRecord(path: string): AttachmentRecord | SpoiltRecord | undefined {
  try {
    return shape.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    return errorCode(error) === 'ENOENT' ? undefined : { path, problem: String(error) };
  }
}
