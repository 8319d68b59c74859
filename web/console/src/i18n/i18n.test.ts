import { expect, test } from 'vitest'
import { pick } from '.'
import { safeNext } from '../router'
import { en } from './en'
import { zh } from './zh'

function walk(a: object, b: object, path: string, found: string[]): void {
  for (const [key, value] of Object.entries(a)) {
    const other = (b as Record<string, unknown>)[key]
    if (typeof value === 'object' && value !== null) walk(value as object, other as object, `${path}.${key}`, found)
    else if (typeof value === 'string' && value !== '' && other === '') found.push(`${path}.${key}`)
  }
}

test('every English text has a Chinese one', () => {
  const empty: string[] = []
  walk(en, zh, 'zh', empty)
  expect(empty).toEqual([])
})

test('the language chosen before wins, else the first one of the browser that is spoken here', () => {
  expect(pick('zh', ['en-GB'])).toBe('zh')
  expect(pick(null, ['de-DE', 'zh-CN', 'en'])).toBe('zh')
  expect(pick('klingon', ['fr'])).toBe('en')
})

test('after signing in nobody is sent to another site', () => {
  for (const bad of ['//evil.example', '/\\evil.example', 'https://evil.example', 'javascript:alert(1)', '', undefined]) expect(safeNext(bad)).toBe('/')
  expect(safeNext('/releases/shop.web.3f2a91c07d0b?x=1')).toBe('/releases/shop.web.3f2a91c07d0b?x=1')
})
