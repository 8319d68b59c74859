import js from '@eslint/js'
import a11y from 'eslint-plugin-jsx-a11y'
import hooks from 'eslint-plugin-react-hooks'
import ts from 'typescript-eslint'

const nodeGlobals = {
  process: 'readonly', console: 'readonly', URL: 'readonly', Buffer: 'readonly',
  setTimeout: 'readonly', setInterval: 'readonly', clearInterval: 'readonly', clearTimeout: 'readonly',
  document: 'readonly', window: 'readonly', localStorage: 'readonly', fetch: 'readonly',
}

export default ts.config(
  { ignores: ['dist', 'node_modules'] },
  js.configs.recommended,
  {
    files: ['src/**/*.{ts,tsx}'],
    extends: [...ts.configs.strict, hooks.configs.flat['recommended-latest'], a11y.flatConfigs.recommended],
    rules: {
      'max-lines': ['error', 500],
      'max-lines-per-function': ['error', { max: 90, skipBlankLines: true, skipComments: true }],
      'no-console': 'error',
      // The policy forbids style attributes in HTML; React sets styles through the CSSOM, raw HTML would not.
      'no-restricted-syntax': ['error', { selector: 'JSXAttribute[name.name="dangerouslySetInnerHTML"]', message: 'raw HTML is an injection risk and breaks the CSP' }],
    },
  },
  { files: ['src/**/*.test.{ts,tsx}'], rules: { 'max-lines-per-function': 'off' } },
  { files: ['dev/**/*.mjs', 'e2e/**/*.mjs'], languageOptions: { globals: nodeGlobals } },
)
