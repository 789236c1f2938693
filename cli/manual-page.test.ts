import { expect, test } from '@jest/globals';
import { Command, Option } from 'commander';
import { setting, settingsTable } from '../runtime/settings/setting.ts';
import { duration, text } from '../runtime/settings/setting-types.ts';
import { manualPages, settingsManual } from './manual-page.ts';

const options = { version: '1.2.3', date: 1_700_000_000 };

function sample(): Command {
  const program = new Command('netloom').description('A program').summary('A program');
  const go = new Command('go')
    .summary('Goes')
    .description('Goes to "there".\n.and on')
    .argument('<place>')
    .addOption(new Option('--fast <n>', 'How fast').default(3).helpGroup('Speed:'))
    .addOption(new Option('--secret').hideHelp())
    .addHelpText('after', '\nExamples:\n  netloom go --fast 3 c:\\x');
  return program.addCommand(go);
}

test('a page a command, whole', () => {
  const pages = manualPages(sample(), options);
  expect([...pages.keys()]).toEqual(['netloom.8', 'netloom-go.8']);
  expect(
    pages.get('netloom-go.8'),
  ).toBe(String.raw`.TH "NETLOOM\-GO" "8" "2023-11-14" "Netloom 1.2.3" "Netloom"
.SH "Name"
netloom\-go \- Goes
.SH "Synopsis"
\fBnetloom go\fR [options] <place>
.SH "Description"
Goes to \(dqthere\(dq.
\&.and on
.SS Speed
.TP
\fB\-\-fast <n>\fR
How fast (default: 3)
.SH "Examples"
.nf
  netloom go \-\-fast 3 c:\ex
.fi
.SH "See also"
netloom(8), netloom.yaml(5)
`);
  expect(pages.get('netloom.8')).toContain('\\fBnetloom go\\fR\nGoes');
});

test('the settings, with what stands for a default', () => {
  const table = settingsTable({
    name: setting(text(), {
      group: 'Node',
      default: 'this-host',
      defaultWords: 'the host’s name',
      help: 'Name',
    }),
    time: setting(duration(), { group: 'Daemon', default: '10s', help: 'Time' }),
  });
  const page = settingsManual(table, options);
  expect(page).toContain(
    '\\fBname\\fR: \\fItext\\fR\nName. Flag \\-\\-name, variable NETLOOM_NAME. Default: the host’s name.',
  );
  expect(page).toContain('.SH "Daemon"\n.TP\n\\fBtime\\fR: \\fIduration\\fR');
  expect(page).not.toContain('this\\-host');
});
