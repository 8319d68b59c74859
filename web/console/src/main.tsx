import { QueryClientProvider } from '@tanstack/react-query'
import * as Tooltip from '@radix-ui/react-tooltip'
import { RouterProvider } from '@tanstack/react-router'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { newQueryClient, StreamContext } from './api/hooks'
import { receive } from './api/live'
import { Stream } from './api/stream'
import { initialLanguage, LanguageProvider, load } from './i18n'
import { newRouter } from './router'
import { applyTheme } from './ui/theme'
import './styles/base.css'
import './styles/shell.css'
import './styles/ui.css'
import './styles/pages.css'

async function main(): Promise<void> {
  applyTheme()
  const lang = initialLanguage()
  const messages = await load(lang)
  const client = newQueryClient()
  const router = newRouter(client)
  const stream = new Stream(
    (m) => receive(client, m),
    () => { client.clear(); void router.navigate({ to: '/sign-in', search: { ended: true, next: location.pathname + location.search } }) },
  )
  const root = document.getElementById('root')
  if (!root) return
  createRoot(root).render(
    <StrictMode>
      <LanguageProvider first={lang} messages={messages}>
        <QueryClientProvider client={client}>
          <StreamContext value={stream}>
            <Tooltip.Provider delayDuration={250}>
              <RouterProvider router={router} />
            </Tooltip.Provider>
          </StreamContext>
        </QueryClientProvider>
      </LanguageProvider>
    </StrictMode>,
  )
}

void main()
