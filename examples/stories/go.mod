module stories

go 1.26
