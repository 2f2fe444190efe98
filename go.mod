module github.com/gobeaker/gobeaker

go 1.26
