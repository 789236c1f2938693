// What a plugin said when it ended, without what only the driver knows of it.
import type { StartedProgram } from '../../kernel/start-program.ts';

export async function answerOf(program: StartedProgram) {
  const { exitCode, stdout, stderr } = await program.done;
  return { exitCode, stdout, stderr };
}
