// Families of generic netlink: their numbers, which the kernel gives out at run time, found by name, and the header that their messages
// share (linux/genetlink.h). What a family's messages mean is said where the family is used.
import { isNotFound } from '../kernel-error.ts';
import { at, attributeTable } from './attribute-table.ts';
import { type Codec, padding, struct, text, u8, u16, u32 } from './codec.ts';
import type { NetlinkRequest } from './message.ts';
import type { NetlinkSocket } from './netlink-socket.ts';

export const NETLINK_GENERIC = 16;

/** The controller: the one family whose number is fixed. */
const GENL_ID_CTRL = 16;
const CTRL_CMD_GETFAMILY = 3;
const controllerVersion = 2;

/** GENL_NAMSIZ, without the zero at its end. */
const longestName = 15;

/** A body: the command, the version of its interface that is spoken, and attributes. */
export interface GenericMessage<A> {
  readonly command: number;
  readonly version: number;
  readonly attributes: A;
}

const header = struct({ command: u8, version: u8, _reserved: padding(2) });

export function genericMessage<A>(attributes: Codec<A>): Codec<GenericMessage<A>> {
  return {
    write(out, value) {
      header.write(out, value);
      attributes.write(out, value.attributes);
    },
    read: (input) => ({ ...header.read(input), attributes: attributes.read(input) }),
  };
}

export interface GenericFamily {
  readonly name: string;
  /** The type of its messages, as long as the family's module stays loaded. */
  readonly id: number;
  /** Of its interface. */
  readonly version: number;
}

export const controllerMessage = genericMessage(
  attributeTable({
    CTRL_ATTR_FAMILY_ID: at(1, u16),
    CTRL_ATTR_FAMILY_NAME: at(2, text),
    CTRL_ATTR_VERSION: at(3, u32),
  }),
);

/**
 * The family of that name; undefined when the kernel has none. A kernel with modules looks for the family's before it says no, and loads
 * it (alias net-pf-16-proto-16-family-NAME). `socket` is one of NETLINK_GENERIC. Throws KernelError.
 */
export function findGenericFamily(socket: NetlinkSocket, name: string): GenericFamily | undefined {
  try {
    return socket.query(familyRequest(name), ({ body }) => {
      const {
        CTRL_ATTR_FAMILY_ID: id,
        CTRL_ATTR_FAMILY_NAME: found,
        CTRL_ATTR_VERSION: version = 0,
      } = controllerMessage.read(body).attributes;
      return id === undefined || found !== name ? undefined : { name, id, version };
    })[0];
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

export function familyRequest(name: string): NetlinkRequest {
  if (name === '' || Buffer.byteLength(name) > longestName)
    throw new RangeError(
      `Cannot find generic netlink family "${name}": a name has 1 to ${longestName} bytes`,
    );
  return {
    type: GENL_ID_CTRL,
    flags: 0,
    operation: 'find generic netlink family',
    object: name,
    body: (out) =>
      controllerMessage.write(out, {
        command: CTRL_CMD_GETFAMILY,
        version: controllerVersion,
        attributes: { CTRL_ATTR_FAMILY_NAME: name },
      }),
  };
}
