import { useEffect } from 'react'

/** useTitle names the page in the tab. */
export function useTitle(title: string): void {
  useEffect(() => { document.title = title === '' ? 'Seatrial' : `${title} · Seatrial` }, [title])
}
