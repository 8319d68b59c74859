// Walks the console in a real Chromium against a running server: signs in, opens every
// page, runs axe on each, fails on anything the Content-Security-Policy refused or the
// page threw, and takes a picture of each page.
//
//   SEATRIAL_URL=http://127.0.0.1:8480 SEATRIAL_USER=admin SEATRIAL_PASSWORD=… node e2e/browser.mjs [--out DIR]
//
//   --url --user --password --out   instead of the environment (SEATRIAL_SHOTS for --out)
//   --languages en,zh  --themes light,dark   which of each to walk; default en and light
//   --release ID   open this release instead of the newest
//   --chromium PATH   default /usr/bin/chromium, or CHROMIUM
import { mkdir, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { chromium } from 'playwright-core'

const env = process.env
const { values: opt } = parseArgs({
  options: {
    url: { type: 'string', default: env.SEATRIAL_URL ?? 'http://127.0.0.1:8480' },
    user: { type: 'string', default: env.SEATRIAL_USER ?? 'admin' },
    password: { type: 'string', default: env.SEATRIAL_PASSWORD ?? '' },
    out: { type: 'string', default: env.SEATRIAL_SHOTS ?? '' },
    languages: { type: 'string', default: 'en' },
    themes: { type: 'string', default: 'light' },
    release: { type: 'string', default: '' },
    chromium: { type: 'string', default: env.CHROMIUM ?? '/usr/bin/chromium' },
  },
})

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const patience = 120_000 // ms; a busy machine draws slowly
const problems = []
const note = (where, what) => { problems.push(`${where}: ${what}`); console.error(`FAIL ${where}: ${what}`) }

async function audit(page, where) {
  await page.evaluate(axe) // through the debugger: the policy allows no foreign script
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }))
  for (const v of violations) {
    const nodes = v.nodes.slice(0, 3).map((n) => `${n.target.join(' ')} (${n.failureSummary?.split('\n').slice(1, 3).join('; ').trim()})`).join(' | ')
    if (v.impact === 'serious' || v.impact === 'critical') note(where, `axe ${v.id} (${v.impact}): ${nodes}`)
    else console.log(`axe  ${where}: ${v.id} (${v.impact}): ${nodes}`)
  }
}

async function picture(page, name, fullPage = true) {
  if (opt.out !== '') await page.screenshot({ path: join(opt.out, `${name}.png`), fullPage })
}

async function settle(page) {
  await page.waitForFunction(() => !document.querySelector('.skeleton'), undefined, { timeout: patience })
  await page.evaluate(() => document.fonts.ready.then(() => true))
  await page.waitForTimeout(250) // for the chart and plots, which draw after they are measured
}

/** listen turns what the page complains about into failures. */
function listen(page, where) {
  page.on('pageerror', (err) => note(where(), `page error: ${err.message}`))
  page.on('console', (m) => {
    const text = m.text()
    if (/Content[- ]Security[- ]Policy/i.test(text)) note(where(), `CSP: ${text}`)
    else if (m.type() === 'error' && !/status of 401/.test(text)) note(where(), `console: ${text}`)
  })
}

async function signIn(page, tag) {
  await page.goto(opt.url + '/sign-in')
  await page.waitForSelector('input[name=username]')
  await settle(page)
  await audit(page, `sign-in ${tag}`)
  await picture(page, `sign-in-${tag}`)
  await page.fill('input[name=username]', opt.user)
  await page.fill('input[name=password]', opt.password)
  await page.click('button[type=submit]')
  await page.waitForSelector('header.top', { timeout: patience })
}

async function newest(page) {
  if (opt.release !== '') return opt.release
  const answer = await page.evaluate(() => fetch('/api/v1/releases?limit=1').then((r) => r.json()))
  return answer.items?.[0]?.id ?? ''
}

async function walkRelease(page, tag, id, at) {
  at(`release ${tag}`)
  await page.goto(`${opt.url}/releases/${encodeURIComponent(id)}`)
  await page.waitForSelector('h1')
  await settle(page)
  await page.evaluate(() => document.querySelectorAll('.verdict > details').forEach((d, i) => { d.open ||= i < 2 }))
  const first = page.locator('details.evidence:has(.evidence-figure)').first()
  if (await first.count()) await first.evaluate((d) => { d.open = true })
  await settle(page)
  await audit(page, `release ${tag}`)
  await picture(page, `release-${tag}`)
  const log = page.locator('section[aria-labelledby=log] button[aria-expanded=false].end')
  if (await log.count()) await log.click()
  await settle(page)
  const tabs = page.getByRole('tab')
  await tabs.nth(1).click()
  await settle(page)
  await audit(page, `release as table ${tag}`)
  await picture(page, `release-table-${tag}`)
  await tabs.nth(0).click()
  await walkDialog(page, tag)
}

/** walkBuild follows a step into the log, searches it, chooses another platform and searches its SBOM. */
async function walkBuild(page, tag, id, at) {
  at(`build ${tag}`)
  await page.goto(`${opt.url}/releases/${encodeURIComponent(id)}`)
  await page.locator('nav.pages a').nth(1).click()
  await page.waitForSelector('nav.pages a[aria-current=page][href$="/build"]')
  await settle(page)
  await audit(page, `build ${tag}`)
  await picture(page, `build-${tag}`)
  await narrow(page, `build-narrow-${tag}`)
  const steps = page.locator('table.steps tbody tr')
  if (!(await steps.count())) return
  const link = steps.locator('a').first()
  if (await link.count()) {
    await link.focus()
    await page.keyboard.press('Enter')
    await page.waitForSelector('.log-step')
    await settle(page)
    if ((await page.locator('.log-step').count()) !== 1) note(`build ${tag}`, 'the link of a step shows other steps, too')
    await audit(page, `log of a step ${tag}`)
    await picture(page, `build-log-${tag}`)
    await walkSearch(page, tag)
  }
  await walkSBOM(page, tag)
}

/** walkSearch searches the log for what its first line says, and goes from a match to its place. */
async function walkSearch(page, tag) {
  const log = page.locator('section[aria-labelledby=log]')
  const text = ((await log.locator('.log-text').first().textContent()) ?? '').trim().slice(0, 4)
  if (text === '') return
  const field = log.locator('input[type=search]')
  await field.fill(text)
  await page.waitForSelector('.log-show')
  await settle(page)
  await audit(page, `log search ${tag}`)
  await picture(page, `build-log-search-${tag}`)
  await log.locator('.log-show').first().click()
  await page.waitForSelector('.log-line.is-here')
  if ((await field.inputValue()) !== '') note(`log search ${tag}`, 'a match is not shown among the other lines')
}

async function walkSBOM(page, tag) {
  const platforms = page.locator('section[aria-labelledby=sbom] [role=tab]')
  if (!(await page.locator('.sbom tbody tr').count())) return
  await platforms.first().focus()
  await page.keyboard.press('ArrowRight')
  await settle(page)
  await page.fill('section[aria-labelledby=sbom] input[type=search]', 'no such thing')
  await page.waitForSelector('section[aria-labelledby=sbom] .empty')
  await audit(page, `nothing found in the SBOM ${tag}`)
  await page.click('section[aria-labelledby=sbom] .empty button')
  await page.waitForSelector('.sbom tbody tr')
  await audit(page, `SBOM ${tag}`)
}

/** narrow looks at the page as on a phone: nothing may stick out. */
async function narrow(page, name) {
  const wide = page.viewportSize()
  await page.setViewportSize({ width: 390, height: 844 })
  await settle(page)
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
  if (over > 0) note(name, `the page is ${over} px wider than the screen`)
  await audit(page, name)
  await picture(page, name)
  await page.setViewportSize(wide)
}

/** walkPlace follows the first cell of the board to where a service is, and opens its differences. */
async function walkPlace(page, tag, at) {
  at(`place ${tag}`)
  await page.goto(opt.url + '/')
  await page.waitForSelector('h1')
  await settle(page)
  const link = page.locator('a[href^="/places/"]').first()
  if (!(await link.count())) return
  await link.click()
  await page.waitForSelector('#fleet')
  await settle(page)
  await page.evaluate(() => document.querySelectorAll('details.difference, details.tree').forEach((d) => { d.open = true }))
  if (await page.locator('details.tree').count()) await page.waitForSelector('details.tree th[scope="row"]')
  await settle(page)
  await audit(page, `place ${tag}`)
  await picture(page, `place-${tag}`)
  await narrow(page, `place-narrow-${tag}`)
  const object = page.locator('.tree-object').first()
  if (!(await object.count())) return
  await object.focus()
  await page.keyboard.press('Enter')
  await page.waitForSelector('[role=dialog] .object, [role=dialog] .empty')
  await settle(page)
  await audit(page, `object ${tag}`)
  await picture(page, `object-${tag}`, false)
  await page.keyboard.press('Escape')
  await page.waitForSelector('[role=dialog]', { state: 'detached' })
  if (!(await object.evaluate((el) => el === document.activeElement))) note(`object ${tag}`, 'the focus does not come back')
}

/** walkCalendar moves through the month by keyboard: one day can be reached by Tab, and it is the one that has the focus. */
async function walkCalendar(page, tag, at) {
  at(`calendar by keyboard ${tag}`)
  await page.goto(opt.url + '/experiments/calendar?day=2026-01-31')
  await page.waitForSelector('.calendar')
  await settle(page)
  await narrow(page, `calendar-narrow-${tag}`)
  await page.locator('.calendar [tabindex="0"]').focus()
  for (const [key, day] of [['ArrowRight', '2026-02-01'], ['ArrowUp', '2026-01-25'], ['PageDown', '2026-02-25'], ['Home', '2026-02-23'], ['End', '2026-03-01']]) {
    await page.keyboard.press(key)
    await page.waitForFunction((want) => document.location.search.includes(want) && document.activeElement?.matches('.calendar [tabindex="0"]'), day, { timeout: 10_000 })
      .catch(() => note(`calendar ${tag}`, `${key} does not lead to ${day}: ${page.url()}`))
    const reached = await page.locator('.calendar [tabindex="0"]').count()
    if (reached !== 1) note(`calendar ${tag}`, `${reached} days can be reached by Tab`)
  }
}

/** walkRun opens a run of the calendar's week, where there is one. */
async function walkRun(page, tag, at) {
  at(`run ${tag}`)
  const run = await page.evaluate(() => fetch('/api/v1/experiments/runs?limit=1').then((r) => r.json()).then((p) => p.items?.[0]))
  if (!run) return console.log(`walk: no run yet, the run page is left out (${tag})`)
  await page.goto(`${opt.url}/experiments/${encodeURIComponent(run.experiment)}/runs/${encodeURIComponent(run.id)}`)
  await page.waitForSelector('.run')
  await settle(page)
  await audit(page, `run ${tag}`)
  await picture(page, `run-${tag}`)
  await narrow(page, `run-narrow-${tag}`)
}

/** walkSLO follows the first objective to its budget, and looks at the table beside the plots. */
async function walkSLO(page, tag, at) {
  at(`slo ${tag}`)
  await page.goto(opt.url + '/slos')
  await page.waitForSelector('h1')
  await settle(page)
  await narrow(page, `slos-narrow-${tag}`)
  const link = page.locator('.slos a').last()
  if (!(await link.count())) return console.log(`walk: no SLO, its page is left out (${tag})`)
  await link.click()
  await page.waitForSelector('#course')
  await settle(page)
  await page.evaluate(() => document.querySelectorAll('details.panel').forEach((d) => { d.open = true }))
  await audit(page, `slo ${tag}`)
  await picture(page, `slo-${tag}`)
  await narrow(page, `slo-narrow-${tag}`)
}

async function walkDialog(page, tag) {
  const action = page.locator('.release-actions button:not([aria-disabled])').first()
  if (!(await action.count())) return
  await action.click()
  await page.waitForSelector('[role=dialog]')
  await settle(page)
  await page.locator('[role=dialog] button[type=submit]').click() // without a reason: refused here, nothing is sent
  await audit(page, `confirm dialog ${tag}`)
  await picture(page, `confirm-${tag}`, false)
  await page.keyboard.press('Escape')
  await page.waitForSelector('[role=dialog]', { state: 'detached' })
}

async function walk(browser, language, theme) {
  const tag = `${language}-${theme}`
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: language === 'zh' ? 'zh-CN' : 'en-GB', colorScheme: theme, reducedMotion: 'reduce' })
  context.setDefaultTimeout(patience)
  const page = await context.newPage()
  let where = `sign-in ${tag}`
  const at = (s) => { where = s; console.log(`walk ${s}`) }
  listen(page, () => where)
  at(where)
  await signIn(page, tag)
  const pages = [['board', '/'], ['releases', '/releases'], ['experiments', '/experiments'], ['calendar', '/experiments/calendar'], ['calendar-week', '/experiments/calendar?view=week'], ['clusters', '/clusters'], ['slos', '/slos'], ['silences', '/silences'], ['tokens', '/tokens'], ['not-found', '/no-such-page']]
  for (const [name, path] of pages) {
    at(`${name} ${tag}`)
    await page.goto(opt.url + path)
    await page.waitForSelector('h1, .empty h2')
    await settle(page)
    await audit(page, where)
    await picture(page, `${name}-${tag}`)
    if (name === 'board') await page.waitForSelector('.live.is-live', { timeout: patience }).catch(() => note(where, 'the stream did not become live'))
  }
  await walkCalendar(page, tag, at)
  await walkRun(page, tag, at)
  await walkSLO(page, tag, at)
  await walkPlace(page, tag, at)
  const id = await newest(page)
  if (id === '') console.log(`walk: no release yet, the release page is left out (${tag})`)
  else {
    await walkRelease(page, tag, id, at)
    await walkBuild(page, tag, id, at)
  }
  await context.close()
}

if (opt.password === '') {
  console.error('browser: no password; set SEATRIAL_PASSWORD or --password')
  process.exit(2)
}
if (opt.out !== '') await mkdir(opt.out, { recursive: true })
const browser = await chromium.launch({
  timeout: patience,
  executablePath: opt.chromium,
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
})
try {
  for (const language of opt.languages.split(',')) for (const theme of opt.themes.split(',')) await walk(browser, language, theme)
} finally {
  await browser.close()
}
console.log(problems.length === 0 ? 'ok   every page, nothing serious found' : `${problems.length} problems`)
process.exitCode = problems.length === 0 ? 0 : 1
