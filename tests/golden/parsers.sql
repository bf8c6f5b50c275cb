SELECT 1 end, ssn FROM customers

SELECT b"x" FROM customers b

SELECT 5 -/* ' */ 1, ssn FROM customers --'

SELECT $€$ x $€$, ssn FROM customers

SELECT U&"s\0073n" FROM customers

SELECT date true FROM customers AS date

SELECT interval ssn FROM customers

SELECT ssn regexp FROM customers

COPY orders FROM STDIN; SELECT ssn FROM customers

SELECT total FROM orders UNION ALL TABLE customers

SELECT * FROM ONLY customers

SELECT * FROM customers semi JOIN orders ON true

SELECT '\', ssn, '\' FROM customers WHERE id = 5

SELECT 5"a",ssn"b"FROM"customers"WHERE(1)=(1)AND"id"=5

SELECT - - 1, ssn FROM customers

SELECT E'\'', ssn FROM customers

SELECT 'a' -- comment '
'b', ssn FROM customers

SELECT /* /* nested */ ' */ ssn FROM customers

SELECT ssn FROM customers WHERE name = $$it's$$
