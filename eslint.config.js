/**
 * Lint with type information, and the import boundaries that docs/architecture.md describes: dependencies point from
 * workflows and activities to drivers and on to core, never back.
 */
import js from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import { createTypeScriptImportResolver } from 'eslint-import-resolver-typescript';
import importX from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';

const zones = [
  {
    target: ['./src', './workflows', './activities'],
    from: ['./test', './bench', './examples'],
    message: 'The product does not depend on its tests and benchmarks.',
  },
  {
    target: './src/core',
    from: '.',
    except: ['./src/core', './node_modules'],
    message: 'src/core is pure: it knows nothing of the rest.',
  },
  {
    target: './src/drivers',
    from: '.',
    except: ['./src/drivers', './src/core', './src/kubernetes', './node_modules'],
    message: 'A driver knows the contract, src/core and src/kubernetes.',
  },
  {
    target: './src/kubernetes',
    from: '.',
    except: [
      './src/kubernetes',
      './src/core',
      './src/drivers/gone.ts',
      './src/drivers/platform.ts',
      './src/drivers/transport.ts',
      './node_modules',
    ],
    message: 'src/kubernetes knows src/core, and HTTP by src/drivers/transport.ts; no driver.',
  },
  {
    target: './src/notifications',
    from: '.',
    except: ['./src/notifications', './src/core', './src/drivers/transport.ts', './node_modules'],
    message: 'A sink knows src/core, and HTTP by src/drivers/transport.ts.',
  },
  {
    target: './src/api',
    from: ['./src/cli', './src/config.ts', './src/devstack', './src/simulator'],
    message: 'The service knows Temporal and src/core; it has neither sites nor their credentials.',
  },
  {
    target: './src/lock-controller',
    from: ['./src/cli', './src/api', './src/devstack', './src/simulator', './src/notifications'],
    message:
      'A lock controller knows Kubernetes, Temporal and src/core; it has no site and no credentials of one.',
  },
  {
    target: './src/simulator',
    from: '.',
    except: ['./src/simulator', './src/core', './node_modules'],
    message: 'The simulator is a datacentre of its own; it knows no driver and no workflow.',
  },
  {
    target: './activities',
    from: '.',
    except: [
      './activities',
      './src/core',
      './src/drivers',
      './src/notifications',
      './src/names.ts',
      './src/config.ts',
      './node_modules',
    ],
    message: 'Activities use src/core, src/drivers, src/notifications, names.ts, and types of config.ts.',
  },
  {
    target: './workflows',
    from: '.',
    except: ['./workflows', './activities', './src/core', './src/names.ts', './node_modules'],
    message: 'Workflows use src/core and src/names.ts, and types of activities.',
  },
  {
    target: './src',
    from: ['./workflows', './activities'],
    message: 'Only the worker and its bundler load workflows and activities; all others go through Temporal.',
  },
];

const noPlatformQuestions = {
  selector: [
    'BinaryExpression[operator=/^[!=]==?$/] > MemberExpression[property.name="platform"]:not([object.name="process"])',
    'BinaryExpression[operator=/^[!=]==?$/] > Identifier[name="platform"]',
    'SwitchStatement > MemberExpression.discriminant[property.name="platform"]',
    'SwitchStatement > Identifier.discriminant[name="platform"]',
  ].join(', '),
  message: 'Ask the capabilities of the driver, not which platform it is.',
};

const noLocale = {
  selector: 'CallExpression > MemberExpression[property.name=/^(localeCompare|toLocale\\w*String)$/]',
  message: 'The result depends on the locale of the worker, and a replay elsewhere would differ.',
};

/** Values may come from these packages only, and from relative paths; types may come from anywhere. */
const onlyPackages = (allowed, message) => ({
  regex: `^(?!\\.{1,2}/|(?:${allowed.join('|')})$)`,
  allowTypeImports: true,
  message,
});

const noTemporal = {
  regex: '^@temporalio/',
  message: 'Keep Temporal out of here: the callers in activities/ know it.',
};

export default defineConfig(
  globalIgnores(['dist/', '.haulout/', 'test/histories/']),
  js.configs.recommended,
  tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    plugins: { 'import-x': importX },
    settings: {
      ...importX.flatConfigs.typescript.settings,
      'import-x/resolver-next': [createTypeScriptImportResolver()],
    },
    rules: {
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-deprecated': 'error',
      '@typescript-eslint/no-floating-promises': [
        'error',
        // node:test keeps hold of the promises of its own suites.
        {
          allowForKnownSafeCalls: [
            { from: 'package', package: 'node:test', name: ['test', 'it', 'describe', 'suite'] },
          ],
        },
      ],
      '@typescript-eslint/no-import-type-side-effects': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/no-unnecessary-condition': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', ignoreRestSiblings: true }],
      '@typescript-eslint/prefer-nullish-coalescing': 'error',
      '@typescript-eslint/prefer-optional-chain': 'error',
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/return-await': ['error', 'error-handling-correctness-only'],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true, requireDefaultForNonUnion: true },
      ],
      eqeqeq: 'error',
      'import-x/no-cycle': 'error',
      'import-x/no-default-export': 'error',
      'import-x/no-duplicates': 'error',
      'import-x/no-restricted-paths': ['error', { basePath: import.meta.dirname, zones }],
      'no-console': 'error',
      'no-restricted-syntax': ['error', noPlatformQuestions],
    },
  },
  {
    // The composition roots: they put workflows and activities together.
    files: ['src/workers.ts', 'src/bundle.ts'],
    rules: {
      'import-x/no-restricted-paths': ['error', { basePath: import.meta.dirname, zones: zones.slice(0, 1) }],
    },
  },
  {
    files: ['src/drivers/**', 'test/**', 'bench/**'],
    rules: { 'no-restricted-syntax': 'off' },
  },
  {
    files: ['src/core/**', 'workflows/**'],
    rules: {
      'no-restricted-syntax': ['error', noPlatformQuestions, noLocale],
      'no-restricted-globals': [
        'error',
        ...[
          'Intl',
          'WeakRef',
          'FinalizationRegistry',
          'fetch',
          'performance',
          'process',
          'setInterval',
          'setImmediate',
        ].map((name) => ({ name, message: 'It is not there in a workflow, or would not replay.' })),
      ],
    },
  },
  {
    files: ['src/core/**'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        { patterns: [onlyPackages(['zod', 'ms'], 'src/core uses zod and ms, and nothing else.')] },
      ],
    },
  },
  {
    files: ['src/drivers/**', 'src/notifications/**', 'src/simulator/**', 'activities/actions/**'],
    rules: { '@typescript-eslint/no-restricted-imports': ['error', { patterns: [noTemporal] }] },
  },
  {
    files: ['activities/**'],
    ignores: ['activities/actions/**'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              regex: '/src/config\\.ts$',
              allowTypeImports: true,
              message: 'Activities are handed their configuration.',
            },
          ],
        },
      ],
    },
  },
  {
    files: ['workflows/**'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          patterns: [
            onlyPackages(
              ['@temporalio/workflow', '@temporalio/common'],
              'Workflows use the workflow SDK and src/core; I/O belongs to activities.',
            ),
            {
              regex: '/activities/',
              allowTypeImports: true,
              message: 'Workflows know activities by type only.',
            },
          ],
        },
      ],
    },
  },
  {
    // Programs that talk to people on a terminal.
    files: ['src/cli/**', 'bench/**', 'test/**/run.ts', 'test/support/test-run.ts'],
    rules: { 'no-console': 'off' },
  },
  {
    files: ['**/*.js'],
    extends: [tseslint.configs.disableTypeChecked],
    rules: { 'import-x/no-default-export': 'off' },
  },
);
