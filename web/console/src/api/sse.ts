// A reader for text/event-stream over fetch. EventSource cannot send Last-Event-ID when
// its topics change, nor see a 401; this can.

export interface Message { id: string; event: string; data: string }

/** parser returns a function that is fed text and calls emit once per complete event. */
export function parser(emit: (m: Message) => void, alive: () => void): (chunk: string) => void {
  let rest = ''
  let event = ''
  let data: string[] = []
  let id = ''
  const line = (text: string) => {
    if (text === '') {
      if (data.length > 0 || event !== '') emit({ id, event: event || 'message', data: data.join('\n') })
      event = ''
      data = []
      return
    }
    if (text.startsWith(':')) return
    const at = text.indexOf(':')
    const field = at < 0 ? text : text.slice(0, at)
    const value = at < 0 ? '' : text.slice(at + 1).replace(/^ /, '')
    if (field === 'event') event = value
    else if (field === 'data') data.push(value)
    else if (field === 'id') id = value
  }
  return (chunk) => {
    alive()
    const lines = (rest + chunk).split(/\r\n|\n|\r(?!$)/)
    rest = lines.pop() ?? ''
    lines.forEach(line)
  }
}
