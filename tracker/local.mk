# tracker/
