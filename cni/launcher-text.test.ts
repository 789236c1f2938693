import { expect, test } from '@jest/globals';
import { launcherText } from './launcher-text.ts';
import { aboutText, versionAnswer } from './versions.ts';

/** Reads the literals as a C compiler does. */
function literals(header: string): Readonly<Record<string, string>> {
  const found = [...header.matchAll(/^#define (\w+) "((?:[^"\\]|\\[0-7]{3})*)"$/gm)];
  return Object.fromEntries(
    found.map(([, name = '', text = '']) => {
      const bytes = text.replace(/\\([0-7]{3})/g, (_, digits) =>
        String.fromCharCode(Number.parseInt(digits, 8)),
      );
      return [name, Buffer.from(bytes, 'latin1').toString('utf8')];
    }),
  );
}

test.each(['/opt/netloom/scripts/netloom-cni', '/a "b"\\n??/ü\n1'])('a checkout at %j', (path) => {
  expect(literals(launcherText(path))).toEqual({
    VERSION_ANSWER: versionAnswer(),
    ABOUT_TEXT: aboutText(),
    PLUGIN_PATH: path,
  });
});
