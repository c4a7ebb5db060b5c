// Builds the scripts of the pages into dist/, or with `test` the unit tests into target/.
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { build } from 'esbuild';

const common = { bundle: true, format: 'esm', target: 'es2022', charset: 'utf8', logLevel: 'warning' };
if (process.argv[2] === 'test') {
  rmSync('target', { recursive: true, force: true });
  mkdirSync('target');
  const tests = readdirSync('web/test').filter(name => name.endsWith('.test.ts')).map(name => `web/test/${name}`);
  await build({ ...common, entryPoints: tests, outdir: 'target', platform: 'node', packages: 'external', outExtension: { '.js': '.mjs' } });
} else {
  await build({
    ...common, format: 'iife', entryPoints: { portal: 'web/src/portal.ts', keys: 'web/src/keys.ts' }, outdir: 'dist',
    minify: true, legalComments: 'none', platform: 'browser',
  });
}
