// Time series, drawn by uPlot; beside each the same numbers as a table, for those who cannot see it or want to copy it.
import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import uPlot from 'uplot'
import { Scroll } from '../shared/parts.tsx'
import { language, number, t, time } from '../shared/i18n.ts'

export interface Series { name: string, counts: number[] }

const inks = ['--accent', '--good', '--warn', '--bad', '--soft']
const dashes = [[], [8, 4], [2, 3], [10, 3, 2, 3], [4, 4]]

/** A tick in the page's language: the hour when the chart is about some days, else the day. */
function moment (tick: number, times: string[]): string {
  const span = Date.parse(times.at(-1) ?? '') - Date.parse(times[0] ?? '')
  const format: Intl.DateTimeFormatOptions = span < 3 * 86_400_000
    ? { day: 'numeric', month: 'short', hour: 'numeric', minute: '2-digit' }
    : { day: 'numeric', month: 'short' }
  return new Intl.DateTimeFormat(language.value, format).format(new Date(tick * 1000))
}

export function Chart ({ title, times, series }: { title: string, times: string[], series: Series[] }): JSX.Element {
  const place = useRef<HTMLDivElement>(null)

  useEffect(() => {
    const box = place.current
    if (box === null || times.length === 0) {
      return
    }
    const draw = (): uPlot => {
      const style = getComputedStyle(document.documentElement)
      const colour = (name: string): string => {
        // Canvas does not resolve light-dark(): an element does.
        const probe = document.createElement('span')
        probe.style.color = style.getPropertyValue(name)
        box.append(probe)
        const resolved = getComputedStyle(probe).color
        probe.remove()
        return resolved
      }
      const first = Date.parse(times[0] ?? '') / 1000
      const last = Date.parse(times.at(-1) ?? '') / 1000
      const axis = { stroke: colour('--soft'), grid: { stroke: colour('--line'), width: 1 }, ticks: { show: false } }
      return new uPlot({
        width: Math.max(240, box.clientWidth),
        height: 220,
        cursor: { drag: { x: false, y: false } },
        legend: { live: false },
        scales: {
          // One count is no line yet: it stands at the end of a day.
          x: { range: () => first === last ? [first - 86400, last + 3600] : [first, last] },
          y: { range: (_, __, most) => [0, Math.max(1, most * 1.1)] }
        },
        axes: [{ ...axis, space: 90, values: (_, ticks) => ticks.map(tick => moment(tick, times)) }, { ...axis, incrs: [1, 2, 5, 10, 20, 50, 1e2, 2e2, 5e2, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6], values: (_, ticks) => ticks.map(tick => number(tick)) }],
        series: [{ label: t('time'), value: (_, at) => at === null ? '' : time(new Date(at * 1000)) }, ...series.map((one, i) => ({
          label: one.name, stroke: colour(inks[i % inks.length] ?? '--ink'), width: 2, dash: dashes[i % dashes.length] ?? [],
          points: { show: times.length < 3, size: 8 }
        }))]
      }, [times.map(at => Date.parse(at) / 1000), ...series.map(one => one.counts)], box)
    }
    let plot = draw()
    const again = (): void => { plot.destroy(); plot = draw() }
    const watch = new ResizeObserver(() => { plot.setSize({ width: Math.max(240, box.clientWidth), height: 220 }) })
    const themes = new MutationObserver(again)
    watch.observe(box)
    const system = matchMedia('(prefers-color-scheme: dark)')
    system.addEventListener('change', again)
    themes.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] })
    return () => { watch.disconnect(); themes.disconnect(); system.removeEventListener('change', again); plot.destroy() }
  }, [times, series, language.value])

  if (times.length === 0) {
    return <p class="soft">{t('chart.none')}</p>
  }
  return (
    <figure style="margin: 0">
      <div class="chart" ref={place} aria-hidden="true" />
      <details>
        <summary>{t('chart.table')}</summary>
        <Scroll label={title}>
          <table>
            <caption class="hidden">{title}</caption>
            <thead><tr><th scope="col">{t('time')}</th>{series.map(one => <th key={one.name} scope="col" class="number">{one.name}</th>)}</tr></thead>
            <tbody>
              {times.map((at, i) => <tr key={at}><th scope="row">{time(at)}</th>{series.map(one => <td key={one.name} class="number">{number(one.counts[i] ?? 0)}</td>)}</tr>)}
            </tbody>
          </table>
        </Scroll>
      </details>
    </figure>
  )
}
