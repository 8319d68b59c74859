// Light, dark or as the system says; remembered on this machine.
import { useSyncExternalStore } from 'react'

export type Theme = 'light' | 'dark' | 'system'
const key = 'seatrial.theme'
const listeners = new Set<() => void>()

export function theme(): Theme {
  const stored = localStorage.getItem(key)
  return stored === 'light' || stored === 'dark' ? stored : 'system'
}

export function applyTheme(): void {
  const now = theme()
  if (now === 'system') document.documentElement.removeAttribute('data-theme')
  else document.documentElement.setAttribute('data-theme', now)
  listeners.forEach((l) => l())
}

export function setTheme(next: Theme): void {
  localStorage.setItem(key, next)
  applyTheme()
}

function subscribe(listener: () => void): () => void {
  const system = window.matchMedia('(prefers-color-scheme: dark)')
  listeners.add(listener)
  system.addEventListener('change', listener)
  return () => {
    listeners.delete(listener)
    system.removeEventListener('change', listener)
  }
}

export function useTheme(): Theme { return useSyncExternalStore(subscribe, theme) }

/** useDark tells what is on screen, for canvases that cannot use CSS variables. */
export function useDark(): boolean {
  return useSyncExternalStore(subscribe, () => {
    const now = theme()
    return now === 'dark' || (now === 'system' && window.matchMedia('(prefers-color-scheme: dark)').matches)
  })
}
