// A plain table from column definitions. The server sorts and filters; this only draws.
import { flexRender, getCoreRowModel, useReactTable, type ColumnDef } from '@tanstack/react-table'
import { Scroll } from './parts'

declare module '@tanstack/react-table' {
  // eslint-disable-next-line @typescript-eslint/no-unused-vars -- the names must match the library's
  interface ColumnMeta<TData, TValue> { className?: string; head?: boolean }
}

export function DataTable<T>({ caption, data, columns, rowId }: { caption: string; data: T[]; columns: ColumnDef<T>[]; rowId: (row: T) => string }) {
  // eslint-disable-next-line react-hooks/incompatible-library -- the table is used in this component only, which is not memoised
  const table = useReactTable({ data, columns, getRowId: rowId, getCoreRowModel: getCoreRowModel() })
  return (
    <Scroll className="panel grid-wrap" role="region" label={caption}>
      <table className="grid">
        <caption className="visually-hidden">{caption}</caption>
        <thead>
          {table.getHeaderGroups().map((g) => (
            <tr key={g.id}>{g.headers.map((h) => <th key={h.id} scope="col" className={h.column.columnDef.meta?.className}>{flexRender(h.column.columnDef.header, h.getContext())}</th>)}</tr>
          ))}
        </thead>
        <tbody>
          {table.getRowModel().rows.map((row) => (
            <tr key={row.id}>
              {row.getVisibleCells().map((c) => {
                const { meta, cell } = c.column.columnDef
                const content = flexRender(cell, c.getContext())
                return meta?.head ? <th key={c.id} scope="row" className={meta.className}>{content}</th> : <td key={c.id} className={meta?.className}>{content}</td>
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  )
}
