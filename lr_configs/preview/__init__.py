"""Pictures of schedules: in a terminal, as files, and as a page, all of them from the curves that also train.

What a picture shows, :mod:`~lr_configs.preview.series` finds out once, as a :class:`~lr_configs.preview.picture.Picture`. It is
drawn by :mod:`~lr_configs.preview.braille`, :mod:`~lr_configs.preview.svg`, :mod:`~lr_configs.preview.figure` (matplotlib) and
:mod:`~lr_configs.preview.page`, and written as numbers by :mod:`~lr_configs.preview.table`.
"""
