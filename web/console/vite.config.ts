import react from '@vitejs/plugin-react'
import { defineConfig } from 'vitest/config'

// The Go server embeds dist/ and serves it under a strict Content-Security-Policy:
// nothing is inlined, every asset is a hashed file.
export default defineConfig({
  plugins: [react(), keepFolder()],
  build: {
    target: ['chrome123', 'firefox120', 'safari17.5'],
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  server: {
    host: '127.0.0.1',
    port: 5173,
    proxy: { '/api': process.env.SEATRIAL_URL ?? 'http://127.0.0.1:8481' },
  },
  test: { environment: 'jsdom', include: ['src/**/*.test.{ts,tsx}'], restoreMocks: true, testTimeout: 60_000, hookTimeout: 60_000 },
})

// keepFolder leaves dist/.keep in place: go:embed needs the folder in a fresh clone.
function keepFolder() {
  return {
    name: 'keep-folder',
    generateBundle(this: { emitFile: (f: { type: 'asset'; fileName: string; source: string }) => void }) {
      this.emitFile({ type: 'asset', fileName: '.keep', source: '' })
    },
  }
}
