"""Candle files as people have them: found, understood, joined and held in columns.

    files      which files are meant: one, several, folders, archives
    text       CSV in any of its usual shapes          documents  JSON
    columnar   Parquet and Feather                     layouts    which column is what
    table      one file's columns, before they are understood
    times      open times in seconds                   numbers    prices as exact integers
    grid       the step, summer time, what is missing
    reading    all of it, and one line that says what was understood

Every fault is one sentence (``BadInput``) that names the file and the row.
"""
