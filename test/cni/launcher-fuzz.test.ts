// Any bytes in environment, standard input and the agent's answers: what goes in arrives unchanged, and nothing makes the
// launcher crash or say nothing. Every fifth call is of one that is built with sanitizers (it takes four times as long to start).
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execute } from '../../kernel/exec.ts';
import { refuseRoot } from '../sandbox.ts';
import { answer, fakeAgent } from './fake-agent.ts';
import { buildLauncher, hasCompiler } from './launcher-build.ts';

const describeLauncher = hasCompiler ? describe : describe.skip;

/** Calls of one shell script: a process each would cost more than the launcher. */
const batch = 100;
const socketPath = '/run/netloom/netloom.sock';

describeLauncher('a launcher that is given any bytes', () => {
  let root: string;
  /** In turn. */
  let launchers: readonly string[];
  const random = generator(20_240_611);
  beforeAll(() => {
    refuseRoot();
    // In the sandbox's memory: twenty thousand small files.
    root = mkdtempSync('/run/netloom-fuzz-');
    const plugin = join(root, 'plugin');
    writeFileSync(plugin, '#!/bin/sh\nexit 1\n', { mode: 0o755 });
    const plain = buildLauncher({ path: join(root, 'launcher'), plugin });
    launchers = [buildSanitized(join(root, 'sanitized'), plugin) ?? plain, plain, plain, plain, plain];
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  interface Call {
    readonly variables: readonly Buffer[];
    readonly stdin: Buffer;
  }
  interface Result {
    readonly exitCode: number;
    readonly stdout: Buffer;
    readonly stderr: string;
  }

  /** The shell sets variables of any bytes, which Node cannot. */
  async function runAll(calls: readonly Call[]): Promise<readonly Result[]> {
    const directory = join(root, 'batch');
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory);
    const script = Buffer.concat(
      calls.map(({ variables, stdin }, i) => {
        writeFileSync(join(directory, `${i}.in`), stdin);
        const words = variables.flatMap((variable) => [shellAssignment(variable), Buffer.from(' ')]);
        const rest = `'${launchers[i % launchers.length]}' <${i}.in >${i}.out 2>${i}.err; echo $? >${i}.code\n`;
        return Buffer.concat([...words, Buffer.from(rest)]);
      }),
    );
    writeFileSync(join(directory, 'script'), script);
    const environment = { LC_ALL: 'C', ASAN_OPTIONS: 'detect_leaks=0' };
    await execute(['sh', '-c', `cd ${directory} && . ./script`], { env: environment, timeout: 100_000 });
    return calls.map((_, i) => {
      const read = (ending: string) => readFileSync(join(directory, `${i}.${ending}`));
      return { exitCode: Number(read('code')), stdout: read('out'), stderr: read('err').toString('latin1') };
    });
  }

  function anyCall(commands: readonly string[]): Call {
    const command = Buffer.from(`CNI_COMMAND=${random.pick(commands)}`);
    const others = Array.from({ length: random.below(5) }, (_, i) =>
      Buffer.concat([Buffer.from(`CNI_X${i}=`), anyBytes(random.below(300)).filter((byte) => byte !== 0)]),
    );
    return { variables: [command, ...others], stdin: anyInput() };
  }

  /** Random bytes, or a configuration that is cut, spoilt or both. */
  function anyInput(): Buffer {
    const length = random.below(50) === 0 ? random.below(200_000) : random.below(500);
    if (random.below(3) === 0) return anyBytes(length);
    const text = `{"name": "n\\"", "runDirectory" : "/run/netloom", "args": {"x": ["\\\\", 1]}, "stateDirectory": "${root}/s"}`;
    // Not within the path, which what follows could end: the call must find the agent.
    const path = text.indexOf('/run/');
    const cut = random.pick([
      text.length,
      random.below(path),
      path + '/run/netloom"'.length + random.below(40),
    ]);
    const bytes = Buffer.from(text).subarray(0, cut);
    if (random.below(2) === 0) bytes[random.below(14)] = random.below(256);
    return Buffer.concat([bytes, anyBytes(random.below(50))]);
  }

  function anyBytes(length: number): Buffer {
    const plain = Buffer.from('{}[]":,\\/ \t\nrunDirectory');
    return Buffer.from(
      Array.from({ length }, () =>
        random.below(2) === 0 ? random.below(256) : (plain[random.below(plain.length)] ?? 0),
      ),
    );
  }

  test('2,000 calls arrive at an agent as they are, and its answer comes back', async () => {
    await using _ = await fakeAgent(socketPath, {
      serve: (socket, { body }) => socket.end(answer(200, body)),
    });
    for (let done = 0; done < 2000; done += batch) {
      const calls = Array.from({ length: batch }, () => anyCall(['ADD', 'DEL', 'CHECK', 'X', '\u00ff']));
      for (const [i, { exitCode, stdout, stderr }] of (await runAll(calls)).entries()) {
        expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
        const { variables = [], stdin = Buffer.alloc(0) } = calls[i] ?? {};
        expect(parts(stdout, stdin)).toEqual(parts(expectedBody(variables, stdin), stdin));
      }
    }
  }, 300_000);

  test('400 answers of any bytes: an ADD says something, and what failed is JSON', async () => {
    const head = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}';
    const anyAnswer = (): Buffer => {
      if (random.below(4) === 0) return anyBytes(random.below(2000));
      const bytes = Buffer.from(
        head.replace('2', String(random.below(5))).replace('200', random.pick(['200', '422', '500'])),
      );
      for (let i = random.below(3); i > 0; i--) bytes[random.below(bytes.length)] = random.below(256);
      return bytes.subarray(0, random.below(3) === 0 ? random.below(bytes.length) : bytes.length);
    };
    await using _ = await fakeAgent(socketPath, { serve: (socket) => socket.end(anyAnswer()) });
    let refused = 0;
    for (let done = 0; done < 400; done += batch) {
      const stdin = Buffer.from('{"runDirectory": "/run/netloom"}');
      const calls = Array.from({ length: batch }, () => ({
        variables: [Buffer.from('CNI_COMMAND=ADD')],
        stdin,
      }));
      for (const { exitCode, stdout, stderr } of await runAll(calls)) {
        expect({ isEmpty: stdout.length === 0, stderr }).toEqual({ isEmpty: false, stderr: '' });
        expect([0, 1]).toContain(exitCode);
        // The plugin fails: what is not the agent's own refusal is ours.
        if (exitCode === 1 && stdout.length > 4) {
          expect(JSON.parse(stdout.toString())).toMatchObject({ code: 11 });
          refused += 1;
        }
      }
    }
    expect(refused).toBeGreaterThan(40);
  });
});

/** Undefined where the compiler has no sanitizers. */
function buildSanitized(path: string, plugin: string): string | undefined {
  const flags = ['-O1', '-g', '-fsanitize=address,undefined', '-fno-sanitize-recover=all'];
  try {
    return buildLauncher({ path, plugin, flags });
  } catch {
    return undefined;
  }
}

/** NAME='VALUE' with any bytes but zero. */
function shellAssignment(variable: Buffer): Buffer {
  const split = variable.indexOf('=') + 1;
  const value = variable.toString('latin1', split).replaceAll("'", "'\\''");
  return Buffer.from(`${variable.toString('latin1', 0, split)}'${value}'`, 'latin1');
}

function expectedBody(variables: readonly Buffer[], stdin: Buffer): Buffer {
  const texts = variables.flatMap((variable) => [variable, Buffer.of(0)]);
  return Buffer.concat([...texts, Buffer.of(0), stdin]);
}

/** The variables in any order: a shell has its own. */
function parts(body: Buffer, stdin: Buffer) {
  const variables = body
    .toString('latin1', 0, body.length - stdin.length)
    .split('\0')
    .sort();
  return { variables, stdin: body.subarray(body.length - stdin.length).toString('latin1') };
}

/** Numerical Recipes' linear congruential generator: the same calls in every run. */
function generator(seed: number) {
  let state = seed;
  const below = (limit: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
  return {
    below,
    pick<T>(from: readonly [T, ...T[]] | readonly T[]): T {
      const found = from[below(from.length)];
      if (found === undefined) throw new RangeError('Cannot pick from nothing');
      return found;
    },
  };
}
