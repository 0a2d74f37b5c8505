-- Reports of more kinds, in more formats. The code knows which there are; a
-- worker that is too old for a row says so in it.
alter table report drop constraint report_kind_check;
alter table report drop constraint report_format_check;
alter table report
  add constraint report_kind_check check (kind ~ '^[a-z][a-z_]{0,29}$'),
  add constraint report_format_check check (format ~ '^[a-z]{1,10}$'),
  -- NULL: what is usual where the cat lives.
  add column paper text check (paper in ('A4', 'Letter'));
