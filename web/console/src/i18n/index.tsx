// Which language the console speaks: the one chosen before, else the browser's.
import { createContext, useContext, useEffect, useMemo, useState, type ReactNode } from 'react'
import { en, type Messages } from './en'

export type Language = 'en' | 'zh'
export const languages: readonly { id: Language; name: string }[] = [{ id: 'en', name: 'English' }, { id: 'zh', name: '中文' }]

interface I18n { t: Messages; lang: Language; locale: string; setLang: (l: Language) => void }

const key = 'seatrial.language'
const Context = createContext<I18n>({ t: en, lang: 'en', locale: 'en-GB', setLang: () => undefined })

/** pick chooses between what was stored and what the browser asks for. */
export function pick(stored: string | null, browser: readonly string[]): Language {
  if (stored === 'en' || stored === 'zh') return stored
  for (const tag of browser) {
    if (tag.toLowerCase().startsWith('zh')) return 'zh'
    if (tag.toLowerCase().startsWith('en')) return 'en'
  }
  return 'en'
}

export function initialLanguage(): Language {
  return pick(localStorage.getItem(key), navigator.languages)
}

export async function load(lang: Language): Promise<Messages> {
  return lang === 'zh' ? (await import('./zh')).zh : en
}

export function LanguageProvider({ first, messages, children }: { first: Language; messages: Messages; children: ReactNode }) {
  const [now, setNow] = useState({ lang: first, t: messages })
  useEffect(() => { document.documentElement.lang = now.lang === 'zh' ? 'zh-CN' : 'en' }, [now.lang])
  const value = useMemo<I18n>(() => ({
    ...now,
    locale: now.lang === 'zh' ? 'zh-CN' : 'en-GB',
    setLang: (lang) => {
      localStorage.setItem(key, lang)
      void load(lang).then((t) => setNow({ lang, t }))
    },
  }), [now])
  return <Context.Provider value={value}>{children}</Context.Provider>
}

export function useI18n(): I18n { return useContext(Context) }
export function useT(): Messages { return useContext(Context).t }

/** word looks a server's word up and falls back to the word itself. */
export function word(map: Record<string, string>, key: string): string { return map[key] ?? key }
